// PoolUnderTest: a daemon of its own and a client that keeps nothing, so that
// every lease goes over the Session and is mapped anew.
#ifndef WARMPOOL_TESTS_BENCH_SEGMENTS_POOL_H_
#define WARMPOOL_TESTS_BENCH_SEGMENTS_POOL_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool::bench {

// Throws: daemons are ended on the way out, and their files removed.
void Check(const absl::Status& status);
template <typename Value>
Value OrThrow(absl::StatusOr<Value> value) {
  Check(value.status());
  return *std::move(value);
}

Client ConnectWithoutCache(const std::string& target);

class PoolUnderTest {
 public:
  // `directory`, where the segments are; empty: one on /dev/shm.
  explicit PoolUnderTest(std::vector<std::string> flags,
                         const std::string& directory = "");

  testing::DaemonProcess& daemon() { return daemon_; }
  Client& client() { return client_; }
  v1::GetStatsResponse Stats() { return OrThrow(admin_->GetStats()); }

  // Waits until the daemon has ended all that is to be ended and has
  // `stock_bytes` in stock: from then on it does nothing by itself.
  // DEADLINE_EXCEEDED: it did not get there in time.
  absl::Status AwaitQuiet(uint64_t stock_bytes = 0);

 private:
  testing::DaemonProcess daemon_;
  Client client_;
  std::shared_ptr<AdminCalls> admin_;
};

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_SEGMENTS_POOL_H_
