// How long a frame takes from its producer's seal to a consumer in another process,
// at the pace of a camera:
//
//   bazel-bin/tests/bench/bench_frames --rate=60 --size=4MiB
//
// Once the consumer waits for each frame's name (Attach with `wait`), and once it is
// told by a pipe that the frame is sealed, and attaches then. The two take turns, so
// that both meet the same noise.
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
#include "client/warmpool.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(double, rate, 60, "Frames a second");
ABSL_FLAG(warmpool::ByteSize, size, {warmpool::kMiB * 4}, "Size of a frame");
ABSL_FLAG(int, frames, 2000, "Frames of each kind");
ABSL_FLAG(absl::Duration, linger, absl::Seconds(1),
          "How long a frame stays after its producer has released it");
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

std::string NameOf(int frame) { return absl::StrCat("frame/", frame); }

bool IsAwaited(int frame) { return frame / kTurn % 2 == 0; }

int Produce() {
  absl::StatusOr<Client> client =
      Client::Connect(absl::GetFlag(FLAGS_target));
  Check(client.status());
  const absl::Duration pause = absl::Seconds(1 / absl::GetFlag(FLAGS_rate));
  absl::Time due = absl::Now();
  for (int frame = 0; frame < 2 * absl::GetFlag(FLAGS_frames); ++frame) {
    due += pause;
    absl::SleepFor(due - absl::Now());
    absl::StatusOr<Buffer> buffer = client->Lease(
        absl::GetFlag(FLAGS_size).bytes, {.name = NameOf(frame)});
    Check(buffer.status());
    std::memset(buffer->data(), frame, buffer->size());
    const int64_t now = NowNanos();
    std::memcpy(buffer->data(), &now, sizeof(now));
    Check(buffer->Seal({.linger = absl::GetFlag(FLAGS_linger)}));
    if (!IsAwaited(frame)) std::cout << "sealed" << std::endl;
  }
  std::string line;
  std::getline(std::cin, line);
  return 0;
}

double Percentile(std::vector<double>* values, double share) {
  const size_t index = std::min(
      values->size() - 1, static_cast<size_t>(values->size() * share));
  std::nth_element(values->begin(), values->begin() + index, values->end());
  return (*values)[index];
}

void Print(const char* what, std::vector<double> micros) {
  std::printf("%-8s %8.0f %8.0f %8.0f %8.0f\n", what,
              Percentile(&micros, 0.5), Percentile(&micros, 0.9),
              Percentile(&micros, 0.99), Percentile(&micros, 1));
}

void Run() {
  DaemonProcess daemon({}, testing::Runfile("server/warmpoold"));
  absl::StatusOr<Client> client = Client::Connect(daemon.target());
  Check(client.status());
  ChildProcess producer(
      {testing::ThisProgram(), absl::StrCat("--target=", daemon.target()),
       absl::StrCat("--rate=", absl::GetFlag(FLAGS_rate)),
       absl::StrCat("--size=", absl::GetFlag(FLAGS_size).bytes),
       absl::StrCat("--frames=", absl::GetFlag(FLAGS_frames)),
       absl::StrCat("--linger=",
                    absl::FormatDuration(absl::GetFlag(FLAGS_linger)))});
  std::vector<double> awaited;
  std::vector<double> told;
  for (int frame = 0; frame < 2 * absl::GetFlag(FLAGS_frames); ++frame) {
    const bool waits = IsAwaited(frame);
    if (!waits && producer.ReadLine() != "sealed") {
      throw std::runtime_error("the producer has ended");
    }
    const absl::StatusOr<Buffer> view = client->Attach(
        NameOf(frame), {.wait = absl::Seconds(waits ? 10 : 0)});
    Check(view.status());
    int64_t sealed = 0;
    std::memcpy(&sealed, view->data(), sizeof(sealed));
    const absl::Duration taken = absl::Nanoseconds(NowNanos() - sealed);
    (waits ? awaited : told).push_back(absl::ToDoubleMicroseconds(taken));
    if (taken > absl::GetFlag(FLAGS_slow)) {
      std::printf("frame %d (%s) took %s\n", frame, waits ? "awaited" : "told",
                  absl::FormatDuration(taken).c_str());
    }
  }
  producer.WriteLine("");
  producer.Wait();
  utsname machine{};
  uname(&machine);
  std::printf("Linux %s, %ld processors; %s a frame, %g frames a second\n",
              machine.release, sysconf(_SC_NPROCESSORS_ONLN),
              FormatByteSize(absl::GetFlag(FLAGS_size).bytes).c_str(),
              absl::GetFlag(FLAGS_rate));
  std::printf("from seal to attached, us:\n%-8s %8s %8s %8s %8s\n", "", "p50",
              "p90", "p99", "max");
  Print("awaited", awaited);
  Print("told", told);
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
