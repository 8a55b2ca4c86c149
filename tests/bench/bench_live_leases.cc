// Whether a lease takes longer the more buffers live: the same leases and
// releases at two daemons, one with few live leases and one with many, by
// turns.
//
//   bazel-bin/tests/bench/bench_live_leases --many=100000
//
// The live leases are held by several client processes, as the library holds
// them but unmapped: a process may map no more than vm.max_map_count segments.
// Measured is the Session's grant alone, of a warm segment and of one that has
// to be made; then comes the ratio between the medians.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/leases/connection.h"
#include "core/base/clock.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(int, few, 100, "Live leases of the one daemon");
ABSL_FLAG(int, many, 100'000, "Live leases of the other");
ABSL_FLAG(int, clients, 4, "Processes that hold a daemon's live leases");
ABSL_FLAG(uint64_t, held_bytes, 4096, "Bytes of each of them");
ABSL_FLAG(uint64_t, bytes, 65536, "Bytes of a lease that is measured");
ABSL_FLAG(int, rounds, 300, "Turns of each daemon");
ABSL_FLAG(int, leases, 50, "Leases of either kind measured in a turn");
ABSL_FLAG(absl::Duration, ttl, absl::ZeroDuration(),
          "Time to live of all leases; clients renew them. 0: as long as they "
          "live");

namespace warmpool {
namespace {

using testing::ChildProcess;
using testing::DaemonProcess;

void Check(const absl::Status& status) {
  // Daemons and clients are ended on the way out.
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::shared_ptr<Connection> Connect(const std::string& target) {
  auto connection = Connection::Open(target, Connection::Options());
  Check(connection.status());
  return *std::move(connection);
}

v1::GrantedLease Lease(Connection& connection,
                       const v1::LeaseRequest& request) {
  absl::StatusOr<HeldLease> lease = connection.Lease(request);
  Check(lease.status());
  return std::move(lease->granted);
}

// A client process: holds as many leases until its input ends.
int Hold(const std::string& target, const std::string& leases,
         const std::string& bytes) {
  v1::LeaseRequest request;
  uint64_t size = 0;
  int count = 0;
  if (!absl::SimpleAtoi(leases, &count) || !absl::SimpleAtoi(bytes, &size)) {
    return 2;
  }
  request.set_size_bytes(size);
  const std::shared_ptr<Connection> connection = Connect(target);
  for (int i = 0; i < count; ++i) Lease(*connection, request);
  std::puts("ready");
  std::fflush(stdout);
  std::getchar();
  // Its leases are ended by its death.
  std::_Exit(0);
}

// A daemon, its live leases, and what was measured of it.
class Arm {
 public:
  explicit Arm(int live)
      : live_(live),
        daemon_({absl::StrCat("--default_ttl=",
                              absl::FormatDuration(absl::GetFlag(FLAGS_ttl))),
                 "--max_leases_per_uid=1000000"},
                testing::Runfile("server/warmpoold")) {
    const int clients = absl::GetFlag(FLAGS_clients);
    for (int i = 0; i < clients; ++i) {
      holders_.push_back(
          std::make_unique<ChildProcess>(std::vector<std::string>{
              testing::ThisProgram(), "hold", daemon_.target(),
              absl::StrCat(live / clients + (i < live % clients)),
              absl::StrCat(absl::GetFlag(FLAGS_held_bytes))}));
    }
    for (const auto& holder : holders_) {
      Check(holder->ReadLine() == "ready"
                ? absl::OkStatus()
                : absl::InternalError("a client has ended"));
    }
    connection_ = Connect(daemon_.target());
    request_.set_size_bytes(absl::GetFlag(FLAGS_bytes));
  }

  void Turn() {
    Measure(/*fresh=*/false, &warm_us_);
    Measure(/*fresh=*/true, &fresh_us_);
  }

  int live() const { return live_; }
  size_t daemon_descriptors() const { return daemon_.CountDescriptors(); }
  double warm_p50() { return Median(warm_us_); }
  double fresh_p50() { return Median(fresh_us_); }

 private:
  void Measure(bool fresh, std::vector<double>* taken_us) {
    const Clock& clock = MonotonicClock::Get();
    request_.set_require_zeroed(fresh);
    for (int i = 0; i < absl::GetFlag(FLAGS_leases); ++i) {
      const absl::Time start = clock.Now();
      const v1::GrantedLease lease = Lease(*connection_, request_);
      const absl::Duration taken = clock.Now() - start;
      // The first ones are not warm.
      if (fresh == (lease.warmth() == v1::WARMTH_FRESH)) {
        taken_us->push_back(absl::ToDoubleMicroseconds(taken));
      }
      Check(connection_->Release(lease));
    }
  }

  static double Median(std::vector<double>& values) {
    const auto middle =
        values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
    if (middle == values.end()) return 0;
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  const int live_;
  // Outlives its clients: they would be ended one lease after the other.
  std::vector<std::unique_ptr<ChildProcess>> holders_;
  DaemonProcess daemon_;
  std::shared_ptr<Connection> connection_;
  v1::LeaseRequest request_;
  std::vector<double> warm_us_;
  std::vector<double> fresh_us_;
};

void PrintRow(const char* what, double few, double many) {
  std::printf("%-22s %10.1f %10.1f %8.3f\n", what, few, many, many / few);
}

int Run() {
  const auto few = std::make_unique<Arm>(absl::GetFlag(FLAGS_few));
  const auto many = std::make_unique<Arm>(absl::GetFlag(FLAGS_many));
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds); ++i) {
    few->Turn();
    many->Turn();
  }
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  std::printf("%-22s %10d %10d %8s\n", "live leases", few->live(), many->live(),
              "ratio");
  PrintRow("lease, warm, p50 us", few->warm_p50(), many->warm_p50());
  PrintRow("lease, fresh, p50 us", few->fresh_p50(), many->fresh_p50());
  std::printf("%-22s %10zu %10zu (limit %llu)\n", "daemon's descriptors",
              few->daemon_descriptors(), many->daemon_descriptors(),
              static_cast<unsigned long long>(descriptors.rlim_max));
  return 0;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  const std::vector<char*> arguments = absl::ParseCommandLine(argc, argv);
  try {
    if (arguments.size() == 5 && std::string(arguments[1]) == "hold") {
      return warmpool::Hold(arguments[2], arguments[3], arguments[4]);
    }
    return warmpool::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_live_leases: %s\n", error.what());
    return 1;
  }
}
