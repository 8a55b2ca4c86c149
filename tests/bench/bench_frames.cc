// How long a frame takes to a consumer in another process, at the pace of a
// camera: from the moment at which its producer wants a buffer for it, and from
// its seal.
//
//   bazel-bin/tests/bench/bench_frames --rate=60 --size=4MiB
//
// The difference is the producer's lease, and its writing. A lease is slow
// where no memory is ready: until the frames that are kept (--linger) have come
// round once, each takes another buffer. With --stock the daemon has that much
// ready before.
//
// Once the consumer waits for each frame's name (Attach with `wait`), and once
// it is told by a pipe that the frame is sealed, and attaches then. The two
// take turns, so that both meet the same noise.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"
#include "warmpool/warmpool.h"

ABSL_FLAG(double, rate, 60, "Frames a second");
ABSL_FLAG(warmpool::ByteSize, size, {warmpool::kMiB * 4}, "Size of a frame");
ABSL_FLAG(int, frames, 2000, "Frames of each kind");
ABSL_FLAG(absl::Duration, linger, absl::Seconds(1),
          "How long a frame stays after its producer has released it");
ABSL_FLAG(warmpool::ByteSize, stock, {256 * warmpool::kMiB},
          "Memory that the daemon makes ahead of demand");
ABSL_FLAG(absl::Duration, slow, absl::InfiniteDuration(),
          "Tells of each frame that takes longer");
// Given to the child.
ABSL_FLAG(std::string, target, "", "Internal: be the producer");

namespace warmpool {
namespace {

using testing::ChildProcess;
using testing::DaemonProcess;

// Frames of one kind follow each other.
constexpr int kTurn = 100;

void Check(const absl::Status& status) {
  // Daemon and child are ended on the way out.
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

// CLOCK_MONOTONIC is the same in all processes.
int64_t NowNanos() {
  return (MonotonicClock::Get().Now() - absl::UnixEpoch()) /
         absl::Nanoseconds(1);
}

// At the beginning of a frame.
struct Stamp {
  int64_t due_nanos = 0;
  int64_t leased_nanos = 0;
  int64_t sealed_nanos = 0;
  bool fresh = false;
};

double MicrosSince(int64_t nanos) {
  return static_cast<double>(NowNanos() - nanos) / 1e3;
}

std::string NameOf(int frame) { return absl::StrCat("frame/", frame); }

bool IsAwaited(int frame) { return frame / kTurn % 2 == 0; }

int Produce() {
  absl::StatusOr<Client> client = Client::Connect(absl::GetFlag(FLAGS_target));
  Check(client.status());
  const absl::Duration pause = absl::Seconds(1 / absl::GetFlag(FLAGS_rate));
  absl::Time due = absl::Now();
  for (int frame = 0; frame < 2 * absl::GetFlag(FLAGS_frames); ++frame) {
    due += pause;
    absl::SleepFor(due - absl::Now());
    Stamp stamp{.due_nanos = NowNanos()};
    absl::StatusOr<Buffer> buffer =
        client->Lease(absl::GetFlag(FLAGS_size).bytes, {.name = NameOf(frame)});
    Check(buffer.status());
    stamp.leased_nanos = NowNanos();
    stamp.fresh = buffer->warmth() == BufferWarmth::kFresh;
    std::memset(buffer->data(), frame, buffer->size());
    stamp.sealed_nanos = NowNanos();
    std::memcpy(buffer->data(), &stamp, sizeof(stamp));
    Check(buffer->Seal({.linger = absl::GetFlag(FLAGS_linger)}));
    if (!IsAwaited(frame)) std::cout << "sealed" << std::endl;
  }
  std::string line;
  std::getline(std::cin, line);
  return 0;
}

double Percentile(std::vector<double>* values, double share) {
  const size_t index =
      std::min(values->size() - 1, static_cast<size_t>(values->size() * share));
  std::nth_element(values->begin(), values->begin() + index, values->end());
  return (*values)[index];
}

void PrintLine(const char* what, std::vector<double> micros) {
  std::printf("%-20s %8.0f %8.0f %8.0f %8.0f\n", what, Percentile(&micros, 0.5),
              Percentile(&micros, 0.9), Percentile(&micros, 0.99),
              Percentile(&micros, 1));
}

// Of frames of one kind, in microseconds.
struct Times {
  std::vector<double> since_due;
  std::vector<double> since_seal;
};

// Of leases whose memory had to be made.
struct FreshLeases {
  int count = 0;
  int64_t longest_nanos = 0;
};

void PrintAll(const Times& awaited, const Times& told,
              const FreshLeases& fresh) {
  utsname machine{};
  uname(&machine);
  std::printf("Linux %s, %ld processors; %s a frame, %g frames a second\n",
              machine.release, sysconf(_SC_NPROCESSORS_ONLN),
              FormatByteSize(absl::GetFlag(FLAGS_size).bytes).c_str(),
              absl::GetFlag(FLAGS_rate));
  std::printf("%-20s %8s %8s %8s %8s\n", "until attached, us", "p50", "p90",
              "p99", "max");
  PrintLine("awaited, from due", awaited.since_due);
  PrintLine("awaited, from seal", awaited.since_seal);
  PrintLine("told, from due", told.since_due);
  PrintLine("told, from seal", told.since_seal);
  std::printf("leases of fresh memory: %d, the longest %.1f ms\n", fresh.count,
              static_cast<double>(fresh.longest_nanos) / 1e6);
}

void Run() {
  DaemonProcess daemon(
      {absl::StrCat("--stock_bytes=", absl::GetFlag(FLAGS_stock).bytes)},
      testing::Runfile("server/warmpoold"));
  absl::StatusOr<Client> client = Client::Connect(daemon.target());
  Check(client.status());
  ChildProcess producer(
      {testing::ThisProgram(), absl::StrCat("--target=", daemon.target()),
       absl::StrCat("--rate=", absl::GetFlag(FLAGS_rate)),
       absl::StrCat("--size=", absl::GetFlag(FLAGS_size).bytes),
       absl::StrCat("--frames=", absl::GetFlag(FLAGS_frames)),
       absl::StrCat("--linger=",
                    absl::FormatDuration(absl::GetFlag(FLAGS_linger)))});
  Times awaited;
  Times told;
  FreshLeases fresh;
  for (int frame = 0; frame < 2 * absl::GetFlag(FLAGS_frames); ++frame) {
    const bool waits = IsAwaited(frame);
    if (!waits && producer.ReadLine() != "sealed") {
      throw std::runtime_error("the producer has ended");
    }
    const absl::StatusOr<Buffer> view =
        client->Attach(NameOf(frame), {.wait = absl::Seconds(waits ? 10 : 0)});
    Check(view.status());
    Stamp stamp;
    std::memcpy(&stamp, view->data(), sizeof(stamp));
    Times& times = waits ? awaited : told;
    times.since_due.push_back(MicrosSince(stamp.due_nanos));
    times.since_seal.push_back(MicrosSince(stamp.sealed_nanos));
    const int64_t lease_nanos = stamp.leased_nanos - stamp.due_nanos;
    if (stamp.fresh) {
      ++fresh.count;
      fresh.longest_nanos = std::max(fresh.longest_nanos, lease_nanos);
    }
    if (absl::Microseconds(times.since_due.back()) >
        absl::GetFlag(FLAGS_slow)) {
      std::printf("frame %d, %s: %.1f ms, %.1f ms of them its lease\n", frame,
                  waits ? "awaited" : "told", times.since_due.back() / 1e3,
                  static_cast<double>(lease_nanos) / 1e6);
    }
  }
  producer.WriteLine("");
  producer.Wait();
  PrintAll(awaited, told, fresh);
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    if (!absl::GetFlag(FLAGS_target).empty()) return warmpool::Produce();
    warmpool::Run();
  } catch (const std::exception& error) {
    std::cerr << "bench_frames: " << error.what() << std::endl;
    return 1;
  }
}
