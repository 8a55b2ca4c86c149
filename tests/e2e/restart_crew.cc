// Twenty clients at work while their daemon restarts: ten pairs, each with one
// client in each of two processes. They lease, hand over sealed buffers that
// the other waits for, hand over by tickets and in a channel, list and look.
// Not one call may fail, and no byte change on its way.
//
//   restart_crew TARGET PAUSE_MICROSECONDS     (between two rounds of a client)
//
// Each line of input is answered with what became of the calls since the last
// one, once each client has had an answer to a call that it made after the
// line:
//
//   calls 1234 failed 0 probe_us 250 worst_us 900
//
// probe: the longest call of a client that leases without pause; worst: the
// longest of any. Calls that wait for the other client count as calls, their
// time does not. The line "finish" ends the crew, and so does the end of the
// input.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

constexpr size_t kPairs = 10;
constexpr absl::Duration kWait = absl::Minutes(1);
constexpr absl::Duration kLinger = absl::Seconds(10);
constexpr uint64_t kMostTold = 3;
// A call that takes longer is named.
constexpr absl::Duration kSlow = absl::Milliseconds(400);
// How long a client may take for one call before the crew is called stuck.
constexpr absl::Duration kStuckAfter = absl::Minutes(1);

// What one client did; in memory that both processes share.
struct Tally {
  std::atomic<uint64_t> calls = 0;
  std::atomic<uint64_t> failed = 0;
  std::atomic<int64_t> longest_ns = 0;
  // The last answered call began when this many lines had been read.
  std::atomic<uint64_t> epoch = 0;
};

struct Shared {
  std::array<Tally, 2 * kPairs> tallies;
  std::atomic<uint64_t> epoch = 1;
  std::atomic<bool> stop = false;
};

// One client of a pair.
class Member {
 public:
  Member(Shared* shared, Tally* tally, const std::string& target, int peer)
      : shared_(*shared), tally_(*tally), target_(target), peer_(peer) {}

  Client Connect(uint64_t lease_cache_bytes = 0) {
    absl::StatusOr<Client> client =
        Client::Connect(target_, {.lease_cache_bytes = lease_cache_bytes});
    if (client.ok()) return *std::move(client);
    std::cerr << client.status() << std::endl;
    std::_Exit(1);
  }

  std::shared_ptr<AdminCalls> ConnectAdmin() {
    absl::StatusOr<std::shared_ptr<AdminCalls>> admin =
        AdminCalls::Open(target_);
    if (admin.ok()) return *std::move(admin);
    std::cerr << admin.status() << std::endl;
    std::_Exit(1);
  }

  bool stopped() const { return shared_.stop; }

  // Makes a call, and counts it and its time.
  template <typename Function>
  auto Timed(const char* what, Function call) {
    const uint64_t epoch = shared_.epoch;
    const absl::Time begun = absl::Now();
    auto result = call();
    const int64_t took = absl::ToInt64Nanoseconds(absl::Now() - begun);
    if (took > tally_.longest_ns) tally_.longest_ns = took;
    if (took > absl::ToInt64Nanoseconds(kSlow)) {
      std::cerr << absl::StrCat("slow: ", what, " took ", took / 1'000'000,
                                " ms\n");
    }
    tally_.epoch = epoch;
    Count(what, StatusOf(result));
    return result;
  }

  // One that gives nothing.
  template <typename Function>
  void Do(const char* what, Function call) {
    (void)Timed(what, call);
  }

  // One that waits for the other client.
  template <typename Function>
  auto Waiting(const char* what, Function call) {
    const uint64_t epoch = shared_.epoch;
    auto result = call();
    tally_.epoch = epoch;
    Count(what, StatusOf(result));
    return result;
  }

  void Fail(const std::string& what) {
    if (stopped()) return;
    // The first tell enough.
    if (++tally_.failed > kMostTold) return;
    std::cerr << absl::StrCat("FAILED ", what, "\n") << std::flush;
  }

  // To and from the other client of the pair. False: it has gone.
  bool Send(const std::string& message) const {
    return send(peer_, message.data(), message.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(message.size());
  }
  bool Receive(std::string* message) const {
    message->resize(64);
    const ssize_t got = recv(peer_, message->data(), message->size(), 0);
    if (got <= 0) return false;
    message->resize(static_cast<size_t>(got));
    return true;
  }

 private:
  static absl::Status StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static absl::Status StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }

  void Count(const char* what, const absl::Status& status) {
    ++tally_.calls;
    if (!status.ok()) Fail(absl::StrCat(what, ": ", status.ToString()));
  }

  Shared& shared_;
  Tally& tally_;
  const std::string target_;
  const int peer_;
};

void Stamp(std::span<std::byte> bytes, uint64_t stamp) {
  std::memcpy(bytes.data(), &stamp, sizeof(stamp));
  std::memcpy(bytes.data() + bytes.size() - sizeof(stamp), &stamp,
              sizeof(stamp));
}

void CheckStamp(Member& member, std::span<const std::byte> bytes,
                uint64_t stamp) {
  if (std::memcmp(bytes.data(), &stamp, sizeof(stamp)) != 0 ||
      std::memcmp(bytes.data() + bytes.size() - sizeof(stamp), &stamp,
                  sizeof(stamp)) != 0) {
    member.Fail("a byte changed");
  }
}

uint64_t SizeOf(uint64_t round) { return uint64_t{4096} << (round * 7 % 9); }

void Probe(Member& member) {
  Client client = member.Connect();
  while (!member.stopped()) {
    auto buffer = member.Timed("Lease", [&] { return client.Lease(65536); });
    if (!buffer.ok()) continue;
    member.Do("Release", [&] { return buffer->Release(); });
  }
}

void Poll(Member& member, absl::Duration pause) {
  const std::shared_ptr<AdminCalls> admin = member.ConnectAdmin();
  while (!member.stopped()) {
    member.Do("GetStats", [&] { return admin->GetStats(); });
    member.Do("ListBuffers", [&] { return admin->ListBuffers(); });
    member.Do("ListHolders", [&] { return admin->ListHolders(); });
    absl::SleepFor(pause);
  }
}

void Lease(Member& member, const std::string& name, uint64_t cache_bytes,
           absl::Duration pause) {
  Client client = member.Connect(cache_bytes);
  // Held over many restarts.
  auto held = member.Timed("Lease", [&] { return client.Lease(300'000); });
  if (!held.ok()) return;
  Stamp(held->span(), 1);
  for (uint64_t round = 2; !member.stopped(); ++round) {
    LeaseOptions options;
    if (round % 2 == 0) options.name = absl::StrCat(name, "/", round);
    if (round % 3 == 0) options.ttl = absl::Seconds(20);
    options.zeroed = round % 5 == 0;
    auto buffer = member.Timed(
        "Lease", [&] { return client.Lease(SizeOf(round), options); });
    if (!buffer.ok()) continue;
    Stamp(buffer->span(), round);
    if (round % 3 == 0) {
      member.Do("Renew", [&] { return buffer->Renew(); });
    }
    absl::SleepFor(pause);
    CheckStamp(member, buffer->span(), round);
    CheckStamp(member, held->span(), 1);
    member.Do("Release", [&] { return buffer->Release(); });
  }
}

void Seal(Member& member, const std::string& name, absl::Duration pause) {
  Client client = member.Connect();
  std::string taken;
  for (uint64_t round = 1; !member.stopped(); ++round) {
    if (!member.Send("wait")) return;
    auto buffer = member.Timed("Lease", [&] {
      return client.Lease(SizeOf(round),
                          {.name = absl::StrCat(name, "/", round)});
    });
    if (!buffer.ok()) return;
    Stamp(buffer->span(), round);
    absl::SleepFor(pause);
    // Some go on without their maker.
    const bool lingers = round % 4 == 0;
    member.Do("Seal", [&] {
      return buffer->Seal({.linger = lingers ? kLinger : absl::ZeroDuration()});
    });
    if (lingers) member.Do("Release", [&] { return buffer->Release(); });
    if (!member.Receive(&taken)) return;
  }
}

void Attach(Member& member, const std::string& name) {
  Client client = member.Connect();
  std::string wait;
  for (uint64_t round = 1; member.Receive(&wait); ++round) {
    auto buffer = member.Waiting("Attach", [&] {
      return client.Attach(absl::StrCat(name, "/", round), {.wait = kWait});
    });
    if (!buffer.ok()) return;
    CheckStamp(member, std::as_const(*buffer).span(), round);
    member.Do("Release", [&] { return buffer->Release(); });
    if (!member.Send("taken")) return;
  }
}

void AttachAsync(Member& member, const std::string& name) {
  Client client = member.Connect();
  std::string wait;
  for (uint64_t round = 1; member.Receive(&wait); ++round) {
    auto buffer = member.Waiting("AttachAsync", [&] {
      absl::Notification attached;
      absl::StatusOr<Buffer> result;
      client.AttachAsync(absl::StrCat(name, "/", round), {.wait = kWait},
                         [&](absl::StatusOr<Buffer> buffer) {
                           result = std::move(buffer);
                           attached.Notify();
                         });
      attached.WaitForNotification();
      return result;
    });
    if (!buffer.ok()) return;
    CheckStamp(member, std::as_const(*buffer).span(), round);
    member.Do("Release", [&] { return buffer->Release(); });
    if (!member.Send("taken")) return;
  }
}

void MakeTickets(Member& member, absl::Duration pause) {
  Client client = member.Connect();
  std::string claimed;
  for (uint64_t round = 1; !member.stopped(); ++round) {
    auto buffer =
        member.Timed("Lease", [&] { return client.Lease(SizeOf(round)); });
    if (!buffer.ok()) return;
    Stamp(buffer->span(), round);
    auto ticket = member.Timed(
        "MakeTicket", [&] { return buffer->MakeTicket({.ttl = kWait}); });
    if (!ticket.ok() || !member.Send(*ticket)) return;
    if (!member.Receive(&claimed)) return;
    absl::SleepFor(pause);
  }
}

void Claim(Member& member) {
  Client client = member.Connect();
  std::string ticket;
  for (uint64_t round = 1; member.Receive(&ticket); ++round) {
    auto buffer = member.Timed("Claim", [&] { return client.Claim(ticket); });
    if (!buffer.ok()) return;
    CheckStamp(member, std::as_const(*buffer).span(), round);
    Stamp(buffer->span(), round + 1);
    member.Do("Release", [&] { return buffer->Release(); });
    if (!member.Send("claimed")) return;
  }
}

void Give(Member& member, const std::string& name, absl::Duration pause) {
  Client client = member.Connect();
  Channel channel = client.OpenChannel(name, {.idle = absl::Milliseconds(200)});
  std::string token;
  for (uint64_t round = 1; !member.stopped(); ++round) {
    auto buffer = member.Timed(
        "Channel::Lease", [&] { return channel.Lease(SizeOf(round / 20)); });
    if (!buffer.ok()) return;
    Stamp(buffer->span(), round);
    auto given = member.Timed("Give", [&] { return buffer->Give(); });
    if (!given.ok() || !member.Send(*given)) return;
    if (!member.Receive(&token)) return;
    auto back = member.Timed("Take", [&] { return channel.Take(token); });
    if (!back.ok()) return;
    CheckStamp(member, std::as_const(*back).span(), round + 1);
    absl::SleepFor(pause);
  }
}

void Take(Member& member, const std::string& name) {
  Client client = member.Connect();
  Channel channel = client.OpenChannel(name, {.idle = absl::Milliseconds(200)});
  std::string token;
  for (uint64_t round = 1; member.Receive(&token); ++round) {
    auto buffer = member.Timed("Take", [&] { return channel.Take(token); });
    if (!buffer.ok()) return;
    CheckStamp(member, std::as_const(*buffer).span(), round);
    Stamp(buffer->span(), round + 1);
    auto given = member.Timed("Give", [&] { return buffer->Give(); });
    if (!given.ok() || !member.Send(*given)) return;
  }
}

// What the client of that pair does in the first or second process.
void Work(Member& member, size_t pair, int side, const std::string& name,
          absl::Duration pause) {
  const bool first = side == 0;
  switch (pair) {
    case 0: return first ? Probe(member) : Poll(member, pause);
    case 1:
    case 2:
    case 3:
      return Lease(member, absl::StrCat(name, "-", side),
                   pair == 3 ? uint64_t{4} << 20 : 0, pause);
    case 4:
    case 5: return first ? Seal(member, name, pause) : Attach(member, name);
    case 6:
      return first ? Seal(member, name, pause) : AttachAsync(member, name);
    case 7:
    case 8: return first ? MakeTickets(member, pause) : Claim(member);
    default: return first ? Give(member, name, pause) : Take(member, name);
  }
}

// Waits until each client has had an answer to a call made after this.
void Settle(Shared* shared) {
  const uint64_t epoch = ++shared->epoch;
  const absl::Time deadline = absl::Now() + kStuckAfter;
  for (size_t i = 0; i < shared->tallies.size(); ++i) {
    while (shared->tallies[i].epoch < epoch) {
      absl::SleepFor(absl::Milliseconds(1));
      if (absl::Now() < deadline) continue;
      ++shared->tallies[i].failed;
      std::cerr << absl::StrCat("FAILED client ", i, " is stuck\n");
      break;
    }
  }
}

void Report(Shared* shared) {
  uint64_t calls = 0;
  uint64_t failed = 0;
  int64_t worst = 0;
  const int64_t probe = shared->tallies[0].longest_ns;
  for (Tally& tally : shared->tallies) {
    calls += tally.calls.exchange(0);
    failed += tally.failed.exchange(0);
    worst = std::max(worst, tally.longest_ns.exchange(0));
  }
  std::cout << "calls " << calls << " failed " << failed << " probe_us "
            << probe / 1000 << " worst_us " << worst / 1000 << std::endl;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  using namespace warmpool;
  int64_t pause_us = 0;
  if (argc != 3 || !absl::SimpleAtoi(argv[2], &pause_us)) return 2;
  void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  Shared* const shared = new (memory) Shared;
  std::array<int[2], kPairs> peers;
  for (auto& pair : peers) {
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
      return 2;
    }
  }
  const std::string name = absl::StrCat("crew-", getpid());
  // Before gRPC's threads.
  const pid_t parent = getpid();
  const pid_t child = fork();
  const int side = child == 0 ? 1 : 0;
  if (side == 1) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) return 2;
  }
  std::vector<std::thread> threads;
  for (size_t pair = 0; pair < kPairs; ++pair) {
    close(peers[pair][1 - side]);
    threads.emplace_back([&, pair, peer = peers[pair][side]] {
      Member member(shared, &shared->tallies[2 * pair + side], argv[1], peer);
      Work(member, pair, side, absl::StrCat(name, "-", pair),
           absl::Microseconds(pause_us));
      // The other one does not wait in vain.
      shutdown(peer, SHUT_RDWR);
    });
  }
  if (side == 0) {
    for (std::string line; std::getline(std::cin, line) && line != "finish";) {
      Settle(shared);
      Report(shared);
    }
    shared->stop = true;
  }
  for (std::thread& thread : threads) thread.join();
  if (side == 1) return 0;
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? 0 : 1;
}
