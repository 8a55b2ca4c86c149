// What many clients cost a daemon that are connected, have a Session and
// leases, and do nothing; and what they cost one that does something.
//
//   bazel-bin/tests/bench/bench_many_clients --clients=1000 --few=10
//
// Each is a client of the library with two leases, in one of some processes. A
// client of its own leases and releases a warm buffer, each time by a call,
// beside few and beside many.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
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
#include "client/leases/connection.h"
#include "core/base/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"
#include "warmpool/warmpool.h"

ABSL_FLAG(int, clients, 1000, "Clients that are many");
ABSL_FLAG(int, few, 10, "Clients that are few");
ABSL_FLAG(int, processes, 8, "That the clients are in");
ABSL_FLAG(int, rounds, 20'000, "Leases for each percentile");
ABSL_FLAG(absl::Duration, idle, absl::Seconds(5),
          "For how long the daemon's processor time is measured");
// Given to its children.
ABSL_FLAG(int, be, 0, "Be a process with so many clients");
ABSL_FLAG(std::string, target, "", "The daemon's, for such a process");

namespace warmpool {
namespace {

using testing::ChildProcess;
using testing::DaemonProcess;

constexpr uint64_t kLeaseBytes = 4096;
constexpr uint64_t kWarmBytes = 64 << 10;
constexpr absl::Duration kSettling = absl::Seconds(2);

void Check(const absl::Status& status) {
  // Daemon and children are ended on the way out.
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

// A process with clients: connects on the first line of its input, and ends
// with the second.
int Be(int count) {
  std::vector<Client> clients;
  std::vector<Buffer> buffers;
  std::string line;
  std::cout << "started" << std::endl;
  std::getline(std::cin, line);
  for (int i = 0; i < count; ++i) {
    absl::StatusOr<Client> client =
        Client::Connect(absl::GetFlag(FLAGS_target));
    Check(client.status());
    for (int k = 0; k < 2; ++k) {
      absl::StatusOr<Buffer> buffer = client->Lease(kLeaseBytes);
      Check(buffer.status());
      buffers.push_back(*std::move(buffer));
    }
    clients.push_back(*std::move(client));
  }
  std::cout << "connected" << std::endl;
  std::getline(std::cin, line);
  return 0;
}

class Crowd {
 public:
  Crowd(int clients, const std::string& target) {
    const int processes = std::min(absl::GetFlag(FLAGS_processes), clients);
    for (int i = 0; i < processes; ++i) {
      const int count = clients / processes + (i < clients % processes ? 1 : 0);
      processes_.push_back(
          std::make_unique<ChildProcess>(std::vector<std::string>{
              testing::ThisProgram(), absl::StrCat("--be=", count),
              absl::StrCat("--target=", target)}));
    }
    Expect("started");
  }
  // How long it took all of them.
  absl::Duration Connect() {
    const absl::Time begun = MonotonicClock::Get().Now();
    for (const auto& process : processes_) process->WriteLine("");
    Expect("connected");
    return MonotonicClock::Get().Now() - begun;
  }
  void End() {
    for (const auto& process : processes_) process->WriteLine("");
    for (const auto& process : processes_) process->Wait();
    processes_.clear();
  }

 private:
  void Expect(const std::string& line) {
    for (const auto& process : processes_) {
      if (process->ReadLine() != line) {
        throw std::runtime_error("a process with clients has ended");
      }
    }
  }

  std::vector<std::unique_ptr<ChildProcess>> processes_;
};

uint64_t ResidentKib(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  uint64_t kib = 0;
  while (status >> word) {
    if (word == "VmRSS:" && status >> kib) break;
  }
  return kib;
}

// Of all its threads.
absl::Duration ProcessorTime(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  // After the command's name, which may have anything in it: the 12th and the
  // 13th from there are user and system time (proc(5)).
  std::vector<std::string> fields;
  size_t begin = text.rfind(')') + 2;
  while (fields.size() < 13) {
    const size_t end = text.find(' ', begin);
    fields.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const double ticks = std::stod(fields[11]) + std::stod(fields[12]);
  return absl::Seconds(ticks / static_cast<double>(sysconf(_SC_CLK_TCK)));
}

struct Latency {
  double p50_us;
  double p99_us;
};

Latency WarmLeases(Connection& connection) {
  std::vector<double> taken_us;
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds); ++i) {
    v1::LeaseRequest request;
    request.set_size_bytes(kWarmBytes);
    const absl::Time begun = MonotonicClock::Get().Now();
    const absl::StatusOr<HeldLease> lease = connection.Lease(request);
    const absl::Time end = MonotonicClock::Get().Now();
    Check(lease.status());
    if (lease->granted.warmth() == v1::WARMTH_WARM) {
      taken_us.push_back(absl::ToDoubleMicroseconds(end - begun));
    }
    Check(connection.Release(lease->granted));
  }
  std::sort(taken_us.begin(), taken_us.end());
  if (taken_us.empty()) throw std::runtime_error("no lease was warm");
  return {taken_us[taken_us.size() / 2], taken_us[taken_us.size() * 99 / 100]};
}

int Run() {
  const int many = absl::GetFlag(FLAGS_clients);
  const int few = absl::GetFlag(FLAGS_few);
  DaemonProcess daemon({"--max_connections_per_uid=100000"},
                       testing::Runfile("server/warmpoold"));
  auto connection = Connection::Open(daemon.target(), Connection::Options());
  Check(connection.status());
  utsname machine{};
  uname(&machine);
  std::printf("%s %s, %ld processors\n", machine.sysname, machine.release,
              sysconf(_SC_NPROCESSORS_ONLN));
  Latency beside_few{};
  Latency beside_many{};
  for (const int count : {few, many}) {
    const uint64_t before = ResidentKib(daemon.pid());
    Crowd crowd(count, daemon.target());
    const absl::Duration connecting = crowd.Connect();
    const uint64_t grown = ResidentKib(daemon.pid()) - before;
    // The connections' first messages are not what idle clients cost.
    absl::SleepFor(kSettling);
    const absl::Duration busy_before = ProcessorTime(daemon.pid());
    absl::SleepFor(absl::GetFlag(FLAGS_idle));
    const absl::Duration busy = ProcessorTime(daemon.pid()) - busy_before;
    Latency& latency = count == few ? beside_few : beside_many;
    latency = WarmLeases(**connection);
    std::printf(
        "%d clients: connected in %.2f s, %.1f KiB each, idle %.2f %% of "
        "a processor; warm lease p50 %.0f us, p99 %.0f us\n",
        count, absl::ToDoubleSeconds(connecting),
        static_cast<double>(grown) / count,
        100 * absl::FDivDuration(busy, absl::GetFlag(FLAGS_idle)),
        latency.p50_us, latency.p99_us);
    std::fflush(stdout);
    crowd.End();
  }
  std::printf("many against few: p50 %.2f, p99 %.2f\n",
              beside_many.p50_us / beside_few.p50_us,
              beside_many.p99_us / beside_few.p99_us);
  return 0;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    const int clients = absl::GetFlag(FLAGS_be);
    return clients > 0 ? warmpool::Be(clients) : warmpool::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_many_clients: %s\n", error.what());
    return 1;
  }
}
