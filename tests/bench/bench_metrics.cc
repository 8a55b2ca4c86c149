// What metrics cost leases: two daemons by turns, one of which is scraped over
// HTTP once in --scrape_every while it is its turn; and what it takes to record
// one call, which both do.
//
//   bazel-bin/tests/bench/bench_metrics --rounds=40 --round=2s
//
// A client without a lease cache leases and releases 64 KiB, so each lease is
// two calls. Differences of a turn's leases per second to the turn before are
// told as medians with quartiles: what both turns share of the machine's noise
// is not in them.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "core/base/clock.h"
#include "httplib.h"
#include "server/stats/rpc_stats.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"
#include "warmpool/warmpool.h"

ABSL_FLAG(int, rounds, 40, "Turns of each of the two daemons");
ABSL_FLAG(absl::Duration, round, absl::Seconds(2), "Length of a turn");
ABSL_FLAG(absl::Duration, scrape_every, absl::Seconds(1),
          "Between two scrapes; Prometheus' own default is a minute");

namespace warmpool {
namespace {

using testing::DaemonProcess;

void Check(const absl::Status& status) {
  // The daemons are ended on the way out.
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

// Scrapes an address while it is told to.
class Scraper {
 public:
  explicit Scraper(const std::string& address)
      : thread_([this, address] { Main(address); }) {}
  ~Scraper() {
    stopped_ = true;
    thread_.join();
  }

  void Turn(bool on) { on_ = on; }
  uint64_t scrapes() const { return scrapes_; }

 private:
  void Main(const std::string& address) {
    httplib::Client client("http://" + address);
    absl::Time last = absl::InfinitePast();
    while (!stopped_) {
      absl::SleepFor(absl::Milliseconds(5));
      if (!on_ || absl::Now() < last + absl::GetFlag(FLAGS_scrape_every)) {
        continue;
      }
      last = absl::Now();
      const auto result = client.Get("/metrics");
      if (result && result->status == 200) ++scrapes_;
    }
  }

  std::atomic<bool> on_ = false;
  std::atomic<bool> stopped_ = false;
  std::atomic<uint64_t> scrapes_ = 0;
  std::thread thread_;
};

double LeasesPerSecond(Client& client) {
  const Clock& clock = MonotonicClock::Get();
  const absl::Time start = clock.Now();
  const absl::Time end = start + absl::GetFlag(FLAGS_round);
  uint64_t leases = 0;
  absl::Time now = start;
  for (; now < end; now = clock.Now()) {
    for (int i = 0; i < 50; ++i, ++leases) {
      Check(client.Lease(64 << 10).status());
    }
  }
  return static_cast<double>(leases) / absl::ToDoubleSeconds(now - start);
}

double RecordNs() {
  constexpr int kTimes = 1'000'000;
  const Clock& clock = MonotonicClock::Get();
  RpcStats stats(&clock, [] {});
  const absl::Time start = clock.Now();
  for (int i = 0; i < kTimes; ++i) {
    stats.Record(Rpc::kLease, stats.Begin(), absl::StatusCode::kOk);
  }
  return absl::ToDoubleNanoseconds(clock.Now() - start) / kTimes;
}

double At(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(share *
                                    static_cast<double>(values.size() - 1))];
}

Client Connect(const DaemonProcess& daemon) {
  absl::StatusOr<Client> client =
      Client::Connect(daemon.target(), {.lease_cache_bytes = 0});
  Check(client.status());
  return *std::move(client);
}

int Run() {
  const std::string program = testing::Runfile("server/warmpoold");
  DaemonProcess plain({}, program);
  DaemonProcess scraped({"--metrics_listen=127.0.0.1:0", "--metrics_holders"},
                        program);
  Client to_plain = Connect(plain);
  Client to_scraped = Connect(scraped);
  const absl::StatusOr<v1::GetStatsResponse> stats =
      AdminCalls::Open(scraped.target()).value()->GetStats();
  Check(stats.status());
  Scraper scraper(stats->metrics_listen());
  std::vector<double> plain_rates;
  std::vector<double> costs;
  LeasesPerSecond(to_plain);
  LeasesPerSecond(to_scraped);
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds); ++i) {
    double rates[2] = {};
    // Which one is first changes, so that a drift favours neither.
    for (const int turn : {i % 2, 1 - i % 2}) {
      scraper.Turn(turn == 1);
      rates[turn] = LeasesPerSecond(turn == 1 ? to_scraped : to_plain);
    }
    plain_rates.push_back(rates[0]);
    costs.push_back(100 * (rates[0] - rates[1]) / rates[0]);
  }
  utsname machine{};
  uname(&machine);
  std::printf("%s %s, %ld processors\n", machine.sysname, machine.release,
              sysconf(_SC_NPROCESSORS_ONLN));
  const double rate = At(plain_rates, 0.5);
  std::printf("%.0f leases and releases per second; %zu turns, %llu scrapes\n",
              rate, costs.size(),
              static_cast<unsigned long long>(scraper.scrapes()));
  std::printf("scraped: %.2f %% fewer (quartiles %.2f to %.2f)\n",
              At(costs, 0.5), At(costs, 0.25), At(costs, 0.75));
  const double record = RecordNs();
  std::printf("recording a call: %.0f ns, %.2f %% of a lease and its release\n",
              record, 2 * record * rate / 1e9 * 100);
  return 0;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    return warmpool::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_metrics: %s\n", error.what());
    return 1;
  }
}
