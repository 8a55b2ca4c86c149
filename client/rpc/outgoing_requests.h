// OutgoingRequests: what a SessionStream has to write: requests in their order,
// and the releases and idle reports that ride along with them.
//
// Not thread-safe. Invariant: a release goes out before, or together with, each
// request that was added after it, up to kMaxReleasesInMessage.
#ifndef WARMPOOL_CLIENT_RPC_OUTGOING_REQUESTS_H_
#define WARMPOOL_CLIENT_RPC_OUTGOING_REQUESTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class OutgoingRequests {
 public:
  // A reference takes some 35 bytes, and the daemon refuses requests above
  // 64 KiB.
  static constexpr size_t kMaxReleasesInMessage = 1000;

  void Add(v1::SessionRequest request);
  // Gathered until the next request, or a flush.
  void Release(std::vector<v1::LeaseRef> leases);
  // Only the last report counts.
  void Report(const v1::IdleReport& idle);
  // The last report goes out once more, for a new stream, if it was not empty.
  void ReportAgain();

  // What is gathered does not wait for a request any more.
  void Flush() { flush_due_ = true; }
  // Moves into `*request` what is to be written next; false: nothing is.
  bool TakeNext(v1::SessionRequest* request);

  // Removes requests by their tags.
  void RemoveIf(absl::FunctionRef<bool(uint64_t tag)> unwanted);
  void ForgetReleases() { released_.clear(); }

  size_t gathered() const { return released_.size(); }

 private:
  std::deque<v1::SessionRequest> requests_;
  std::deque<v1::LeaseRef> released_;
  // nullopt: it was sent.
  std::optional<v1::IdleReport> idle_;
  v1::IdleReport last_idle_;
  bool flush_due_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_OUTGOING_REQUESTS_H_
