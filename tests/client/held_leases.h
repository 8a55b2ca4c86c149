// HeldLeases: what a ScriptedDaemon has granted, with handlers that grant,
// list, assert and release as the real one does, and lose answers on demand.
#ifndef WARMPOOL_TESTS_CLIENT_HELD_LEASES_H_
#define WARMPOOL_TESTS_CLIENT_HELD_LEASES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "tests/client/scripted_daemon.h"

namespace warmpool {

// Thread-safe, but for the members that a test sets before the calls.
class HeldLeases {
 public:
  // Sets the handlers of `daemon`, which it must outlive.
  explicit HeldLeases(ScriptedDaemon* daemon);

  // Adds a lease that no call asked for; returns its id.
  std::string Add(const std::string& client_id, const std::string& request_id);
  void Forget(const std::string& lease_id);
  // The daemon starts anew and has no journal.
  void ForgetAll();
  // As kill -9 and a start would do: forgets, and cuts the connection.
  void Restart();

  bool Has(const std::string& lease_id) const;
  size_t size() const;
  // Leases in each Assert and Release, in the order of the calls.
  std::vector<int> assert_sizes() const;
  std::vector<int> release_sizes() const;
  int lists() const;

  // Called after a grant, before its answer goes out.
  std::function<void()> before_grant_is_answered;
  // What Assert says to a lease.
  std::function<v1::Result(const std::string& lease_id)> assert_result;
  // The time to live granted.
  int64_t ttl_seconds = 0;
  // Buffers in one answer.
  size_t page_size = 3;

 private:
  struct Held {
    v1::GrantedLease lease;
    std::string client_id;
    std::string request_id;
  };

  void Grant(const std::string& client_id, const std::string& request_id,
             uint64_t bytes, v1::GrantedLease* granted);
  void List(const v1::ListBuffersRequest& request,
            v1::ListBuffersResponse* response);
  void Assert(const v1::AssertRequest& request, v1::AssertResponse* response);
  void Renew(const v1::RenewRequest& request, v1::RenewResponse* response);
  void Release(const v1::ReleaseRequest& request,
               v1::ReleaseResponse* response);

  ScriptedDaemon& daemon_;
  mutable Mutex mutex_;
  // By lease id.
  absl::flat_hash_map<std::string, Held> held_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> assert_sizes_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> release_sizes_ ABSL_GUARDED_BY(mutex_);
  int lists_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CLIENT_HELD_LEASES_H_
