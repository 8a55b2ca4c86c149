// What a lease costs its client: from the lease cache, over the Session, and as
// a unary call; beside them the same exchange with a twin of the daemon that
// answers and does nothing (echo_daemon), so that the difference is the pool's.
//
//   bazel-bin/tests/bench/bench_client --benchmark_repetitions=11
//       --benchmark_enable_random_interleaving=true
//
// The time of a pair that goes to the daemon ends with the grant and with the
// release handed to the stream; opening, mapping, touching and unmapping the
// segment are AttachSteps. At the end come the ratios between medians.
#include <benchmark/benchmark.h>
#include <grpcpp/client_context.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/leases/connection.h"
#include "client/rpc/daemon_link.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "core/base/unix_target.h"
#include "core/memory/size_class.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using testing::DaemonProcess;

constexpr uint64_t kBytes = 2 * kMiB;
constexpr absl::Duration kBusyPoll = absl::Microseconds(50);

enum Server { kEcho, kPool };
enum Poll { kSleeps, kBusy };

// The daemon, or its twin, of this kind; started when it is first asked for.
// Thread-safe.
const std::string& TargetOf(Server server, Poll poll) {
  static Mutex mutex;
  MutexLock lock(&mutex);
  static auto& daemons =
      *new std::map<std::pair<Server, Poll>, std::unique_ptr<DaemonProcess>>();
  static auto& targets = *new std::map<std::pair<Server, Poll>, std::string>();
  const auto key = std::make_pair(server, poll);
  std::string& target = targets[key];
  if (target.empty()) {
    std::vector<std::string> flags = {"--default_ttl=0"};
    if (poll == kBusy) {
      flags.push_back(
          absl::StrCat("--busy_poll=", absl::FormatDuration(kBusyPoll)));
    }
    daemons[key] = std::make_unique<DaemonProcess>(
        flags, testing::Runfile(server == kPool ? "server/warmpoold"
                                                : "tests/bench/echo_daemon"));
    target = daemons[key]->target();
    // Google Benchmark has no hook for the end.
    std::atexit([] { daemons.clear(); });
  }
  return target;
}

void Check(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench_client: %s\n", status.ToString().c_str());
  std::exit(1);
}

std::shared_ptr<Connection> Connect(Server server, Poll poll) {
  Connection::Options options;
  if (poll == kBusy) options.busy_poll = kBusyPoll;
  absl::StatusOr<std::shared_ptr<Connection>> connection =
      Connection::Open(TargetOf(server, poll), options);
  Check(connection.status());
  return *std::move(connection);
}

// Latencies of one thread's operations.
class Latencies {
 public:
  explicit Latencies(benchmark::State& state) : state_(state) {}

  absl::Time Now() const { return clock_.Now(); }
  void Since(absl::Time start) {
    taken_.push_back(absl::ToDoubleMicroseconds(Now() - start));
  }
  // Counters: of several threads, their mean.
  void Report() {
    std::sort(taken_.begin(), taken_.end());
    for (const auto& [name, quantile] :
         {std::pair("p50_us", 0.5), std::pair("p99_us", 0.99)}) {
      state_.counters[name] = benchmark::Counter(
          taken_.empty() ? 0 : taken_[(taken_.size() - 1) * quantile],
          benchmark::Counter::kAvgThreads);
    }
  }

 private:
  benchmark::State& state_;
  const Clock& clock_ = MonotonicClock::Get();
  std::vector<double> taken_;
};

v1::LeaseRef RefOf(const v1::GrantedLease& lease) {
  v1::LeaseRef ref;
  ref.set_lease_id(lease.lease_id());
  ref.set_generation(lease.generation());
  return ref;
}

void BM_HotPair(benchmark::State& state) {
  static Client* const client = [] {
    absl::StatusOr<Client> connected =
        Client::Connect(TargetOf(kPool, kSleeps));
    Check(connected.status());
    return new Client(*std::move(connected));
  }();
  Check(client->Lease(kBytes).status());
  for (auto _ : state) {
    absl::StatusOr<Buffer> buffer = client->Lease(kBytes);
    benchmark::DoNotOptimize(buffer->data());
  }
}
BENCHMARK(BM_HotPair)->Iterations(1'000'000)->Threads(1)->Threads(4);

void BM_SessionPair(benchmark::State& state, Server server, Poll poll) {
  const std::shared_ptr<Connection> connection = Connect(server, poll);
  v1::LeaseRequest request;
  request.set_size_bytes(kBytes);
  // So that the daemon has more than one of them, as it has after a while of
  // any service's work.
  for (int round = 0; round < 2; ++round) {
    std::vector<v1::GrantedLease> leases;
    for (int i = 0; i < 2; ++i) {
      absl::StatusOr<HeldLease> lease = connection->Lease(request);
      Check(lease.status());
      leases.push_back(std::move(lease->granted));
    }
    for (const v1::GrantedLease& lease : leases) {
      connection->ReleaseLater({RefOf(lease)});
    }
  }
  Latencies latencies(state);
  uint64_t warm = 0;
  for (auto _ : state) {
    const absl::Time start = latencies.Now();
    const absl::StatusOr<HeldLease> lease = connection->Lease(request);
    if (!lease.ok()) Check(lease.status());
    connection->ReleaseLater({RefOf(lease->granted)});
    latencies.Since(start);
    warm += lease->granted.warmth() == v1::WARMTH_WARM;
  }
  latencies.Report();
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
  if (server == kPool) {
    state.counters["warm"] = benchmark::Counter(
        static_cast<double>(warm) / static_cast<double>(state.iterations()),
        benchmark::Counter::kAvgThreads);
  }
}
#define WARMPOOL_SESSION_PAIR(name, server, poll)       \
  BENCHMARK_CAPTURE(BM_SessionPair, name, server, poll) \
      ->Iterations(5000)                                \
      ->UseRealTime()                                   \
      ->Threads(1)                                      \
      ->Threads(4)
WARMPOOL_SESSION_PAIR(echo, kEcho, kSleeps);
WARMPOOL_SESSION_PAIR(pool, kPool, kSleeps);
WARMPOOL_SESSION_PAIR(echo_busy, kEcho, kBusy);
WARMPOOL_SESSION_PAIR(pool_busy, kPool, kBusy);

// The latency is that of Lease alone.
void BM_UnaryLease(benchmark::State& state, Server server) {
  const absl::StatusOr<std::string> path =
      SocketPathOf(TargetOf(server, kSleeps));
  Check(path.status());
  const absl::StatusOr<std::shared_ptr<DaemonLink>> link = DaemonLink::Connect(
      *path, {}, MonotonicClock::Get().Now() + absl::Seconds(10));
  Check(link.status());
  DaemonLink::Stub* const stub = &(*link)->stub();
  v1::LeaseRequest request;
  request.set_size_bytes(kBytes);
  Latencies latencies(state);
  for (auto _ : state) {
    request.set_request_id(KernelRandom::Get().Next().ToBytes());
    v1::LeaseResponse response;
    grpc::ClientContext context;
    const absl::Time start = latencies.Now();
    const grpc::Status leased = stub->Lease(&context, request, &response);
    latencies.Since(start);
    if (!leased.ok()) Check(absl::InternalError(leased.error_message()));
    v1::ReleaseRequest release;
    *release.add_leases() = RefOf(response.lease());
    v1::ReleaseResponse released;
    grpc::ClientContext release_context;
    stub->Release(&release_context, release, &released);
  }
  latencies.Report();
}
BENCHMARK_CAPTURE(BM_UnaryLease, echo, kEcho)->Iterations(3000)->UseRealTime();
BENCHMARK_CAPTURE(BM_UnaryLease, pool, kPool)->Iterations(3000)->UseRealTime();

// Without the lease cache, what a client does with a warm lease besides.
void BM_AttachSteps(benchmark::State& state) {
  ClientOptions options;
  options.lease_cache_bytes = 0;
  absl::StatusOr<Client> client =
      Client::Connect(TargetOf(kPool, kSleeps), options);
  Check(client.status());
  const Clock& clock = MonotonicClock::Get();
  double lease_us = 0;
  double touch_us = 0;
  double unmap_us = 0;
  for (auto _ : state) {
    const absl::Time start = clock.Now();
    absl::StatusOr<Buffer> buffer = client->Lease(kBytes);
    if (!buffer.ok()) Check(buffer.status());
    const absl::Time leased = clock.Now();
    for (size_t at = 0; at < kBytes; at += kPageSize) {
      *reinterpret_cast<volatile uint64_t*>(buffer->data() + at) = at;
    }
    const absl::Time touched = clock.Now();
    *buffer = Buffer();
    const absl::Time gone = clock.Now();
    lease_us += absl::ToDoubleMicroseconds(leased - start);
    touch_us += absl::ToDoubleMicroseconds(touched - leased);
    unmap_us += absl::ToDoubleMicroseconds(gone - touched);
  }
  const auto mean = [&](double sum) {
    return benchmark::Counter(sum / static_cast<double>(state.iterations()));
  };
  state.counters["lease_and_map_us"] = mean(lease_us);
  state.counters["touch_us"] = mean(touch_us);
  state.counters["unmap_and_release_us"] = mean(unmap_us);
}
BENCHMARK(BM_AttachSteps)->Iterations(1000)->UseRealTime();

// Prints the table, then the ratios that DESIGN cares for.
class RatioReporter final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      // With repetitions their median, otherwise the only run.
      if (run.run_type == Run::RT_Aggregate && run.aggregate_name != "median") {
        continue;
      }
      const std::string name = absl::StrCat(
          run.run_name.function_name, run.run_name.args.empty() ? "" : "/",
          run.run_name.args, "/", run.run_name.threads);
      for (const auto& [counter, value] : run.counters) {
        values_[absl::StrCat(name, " ", counter)] = value.value;
      }
    }
  }

  void Finalize() override {
    ConsoleReporter::Finalize();
    GetOutputStream() << "\npool / echo, medians:\n";
    Ratio("Session pair, p50", "BM_SessionPair/pool", "BM_SessionPair/echo",
          "threads:1 p50_us");
    Ratio("Session pair, busy poll, p50", "BM_SessionPair/pool_busy",
          "BM_SessionPair/echo_busy", "threads:1 p50_us");
    Ratio("Session pair, four clients, throughput", "BM_SessionPair/pool",
          "BM_SessionPair/echo", "threads:4 items_per_second");
    Ratio("Unary Lease, p50", "BM_UnaryLease/pool", "BM_UnaryLease/echo",
          " p50_us");
  }

 private:
  void Ratio(const std::string& title, const std::string& pool,
             const std::string& echo, const std::string& value) {
    const auto find = [&](const std::string& arm) {
      for (const auto& [key, found] : values_) {
        if (absl::StartsWith(key, absl::StrCat(arm, "/")) &&
            absl::EndsWith(key, value)) {
          return found;
        }
      }
      return 0.0;
    };
    if (find(echo) == 0) return;
    char line[128];
    std::snprintf(line, sizeof(line), "  %-40s %8.2f / %8.2f = %.3f\n",
                  title.c_str(), find(pool), find(echo),
                  find(pool) / find(echo));
    GetOutputStream() << line;
  }

  std::map<std::string, double> values_;
};

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  warmpool::RatioReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
