// A program of somebody else's, that uses all that the installed headers
// declare: what the library does not export does not link.
//
//   consumer TARGET
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "client/buffer.h"
#include "core/base/clock.h"
#include "warmpool/admin.h"
#include "warmpool/warmpool.h"

namespace {

constexpr uint64_t kBytes = 2 << 20;

void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "consumer: %s\n", what);
  std::exit(1);
}

void Check(const absl::Status& status) {
  Check(status.ok(), status.ToString().c_str());
}

template <typename T>
T Value(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

void UseBuffers(warmpool::Client& client, warmpool::DaemonAdmin& admin) {
  warmpool::Buffer filled =
      Value(client.Lease(kBytes, {.name = "package/filled", .zeroed = true}));
  Check(filled.valid() && filled.writable() && filled.zeroed(), "a lease");
  Check(filled.name() == "package/filled", "the name");
  Check(filled.lease_id().size() == 16 && filled.generation() > 0, "the lease");
  Check(filled.mapped_size() % filled.page_size() == 0, "the pages");
  Check(filled.ttl() > absl::ZeroDuration(), "the time to live");
  Check(filled.warmth() != warmpool::BufferWarmth::kWarm, "the warmth");
  std::memset(filled.data(), 42, filled.size());
  Check(filled.Renew());
  Check(filled.Seal());
  Check(filled.sealed(), "a seal");

  const warmpool::Buffer read = Value(client.Attach("package/filled"));
  Check(read.span().back() == std::byte{42}, "the bytes");
  std::promise<absl::StatusOr<warmpool::Buffer>> attached;
  client.AttachAsync("package/filled", {}, [&](auto buffer) {
    attached.set_value(std::move(buffer));
  });
  warmpool::Buffer also_read = Value(attached.get_future().get());
  Check(also_read.Release());

  warmpool::Buffer given = Value(client.Lease(kBytes));
  given.data()[0] = std::byte{7};
  given = Value(client.Claim(Value(given.MakeTicket())));
  Check(given.data()[0] == std::byte{7}, "what was claimed");
  Check(admin.Revoke(given.lease_id()));
}

void UseChannels(warmpool::Client& client) {
  warmpool::Channel frames = client.OpenChannel("package");
  warmpool::ChannelBuffer frame = Value(frames.Lease(kBytes));
  std::memset(frame.data(), 43, frame.size());
  frame = Value(frames.Take(Value(frame.Give())));
  Check(frame.span().back() == std::byte{43}, "the bytes of a channel");
  frames = client.OpenChannel("package");
}

void Watch(warmpool::Client& client, warmpool::DaemonAdmin& admin) {
  const warmpool::Buffer lease = Value(client.Lease(kBytes, {.name = "seen"}));
  const std::vector<warmpool::ListedBuffer> buffers =
      Value(admin.ListBuffers());
  Check(!buffers.empty() && !buffers[0].leases.empty(), "the list");
  Check(Value(admin.ListHolders()).total_holders == 1, "the holders");
  Check(Value(admin.GetStats()).leases.live_leases > 0, "the statistics");
  Check(admin.WatchStats(absl::Seconds(1), [](const auto& stats) {
    Check(stats.bytes.capacity_bytes > 0, "watched statistics");
    return false;
  }));
  Check(admin.WatchBuffers("", [](const warmpool::BufferEvent& event) {
    Check(event.kind == warmpool::BufferEvent::Kind::kResync, "an event");
    return false;
  }));
  Check(admin.Trim().status());
  Check(admin.SetLogLevel(warmpool::LogLevel::kWarn).status());
  Check(client.lease_cache_stats().misses > 0, "the lease cache");
}

}  // namespace

int main(int argc, char** argv) {
  Check(argc == 2, "usage: consumer TARGET");
  warmpool::Client client = Value(warmpool::Client::Connect(argv[1]));
  warmpool::DaemonAdmin admin = Value(warmpool::DaemonAdmin::Connect(argv[1]));
  UseBuffers(client, admin);
  UseChannels(client);
  Watch(client, admin);
  warmpool::Client other = Value(warmpool::Client::Connect(argv[1]));
  other = std::move(client);
  warmpool::DaemonAdmin moved = std::move(admin);
  admin = std::move(moved);
  Check(admin.Shutdown(/*revoke=*/true).status());
  Check(consumer::kOwnBuffer + consumer::kOwnClock == 3, "its own headers");
  std::puts("all of the library was used");
}
