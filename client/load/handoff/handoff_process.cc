#include "client/load/handoff/handoff_process.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "client/load/framed_message.h"
#include "client/load/handoff/consumer_service.h"
#include "client/load/handoff/handoff_channel.h"
#include "client/load/handoff/handoff_event.pb.h"
#include "client/load/handoff/producer.h"
#include "client/load/handoff/via_measurement.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

constexpr absl::Duration kProgress = absl::Milliseconds(100);

bool Tell(const load::HandoffEvent& event) {
  return WriteFramed(STDOUT_FILENO, event);
}

int Fail(const absl::Status& status) {
  load::HandoffEvent event;
  event.set_failure(std::string(status.message()));
  Tell(event);
  return 1;
}

bool TellReady() {
  load::HandoffEvent event;
  event.mutable_ready();
  return Tell(event);
}

// Waits for a byte of the standard input; false at its end.
bool AwaitStart() {
  char byte;
  ssize_t count;
  do {
    count = read(STDIN_FILENO, &byte, 1);
  } while (count < 0 && errno == EINTR);
  return count == 1;
}

// Nobody writes to the standard input after the start.
bool InputEnded() {
  pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return poll(&input, 1, 0) > 0;
}

// Nullopt: no way of this run needs a daemon.
absl::StatusOr<std::optional<Client>> ConnectToPool(
    const HandoffOptions& options) {
  if (std::none_of(options.vias.list.begin(), options.vias.list.end(),
                   UsesPool)) {
    return std::nullopt;
  }
  ClientOptions client;
  client.deadline = options.deadline;
  client.busy_poll = options.busy_poll;
  if (!options.lease_cache) client.lease_cache_bytes = 0;
  ASSIGN_OR_RETURN(Client connected, Client::Connect(options.target, client));
  return connected;
}

int RunConsumer(const HandoffOptions& options, const HandoffRole& role) {
  absl::StatusOr<std::optional<Client>> client = ConnectToPool(options);
  if (!client.ok()) return Fail(client.status());
  ConsumerService service(&options, &MonotonicClock::Get(),
                          client->has_value() ? &**client : nullptr,
                          PoolNameOf(role));
  const absl::StatusOr<std::unique_ptr<grpc::Server>> server =
      ServeOn(SocketPathOf(role), &service);
  if (!server.ok()) return Fail(server.status());
  TellReady();
  while (AwaitStart()) continue;
  // Its producer has had every answer it waits for, or is gone. A handler that
  // still waits for a buffer would hold up an orderly end.
  std::_Exit(0);
}

int RunProducer(const HandoffOptions& options, const HandoffRole& role) {
  const MonotonicClock& clock = MonotonicClock::Get();
  absl::StatusOr<std::optional<Client>> client = ConnectToPool(options);
  if (!client.ok()) return Fail(client.status());
  absl::StatusOr<std::unique_ptr<Producer>> producer = Producer::Connect(
      &options, role, client->has_value() ? &**client : nullptr);
  if (!producer.ok()) return Fail(producer.status());
  if (!TellReady() || !AwaitStart()) return 0;

  absl::Time next_told = clock.Now();
  const auto stopped = [&](uint64_t rounds) {
    if (clock.Now() >= next_told) {
      next_told = clock.Now() + kProgress;
      load::HandoffEvent event;
      event.set_rounds(rounds);
      Tell(event);
    }
    return InputEnded();
  };
  load::HandoffEvent event;
  *event.mutable_result() = ToParts((*producer)->Run(clock, stopped));
  return Tell(event) ? 0 : 1;
}

}  // namespace

int RunHandoffProcess(const HandoffOptions& options, const HandoffRole& role) {
  // Ctrl-C in a terminal goes to every process; the load generator tells its
  // children what it means.
  signal(SIGINT, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  return role.is_producer ? RunProducer(options, role)
                          : RunConsumer(options, role);
}

}  // namespace warmpool
