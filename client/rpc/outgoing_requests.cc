#include "client/rpc/outgoing_requests.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace warmpool {

void OutgoingRequests::Add(v1::SessionRequest request) {
  requests_.push_back(std::move(request));
}

void OutgoingRequests::Release(std::vector<v1::LeaseRef> leases) {
  std::move(leases.begin(), leases.end(), std::back_inserter(released_));
}

void OutgoingRequests::Report(const v1::IdleReport& idle) {
  idle_ = last_idle_ = idle;
}

void OutgoingRequests::ReportAgain() {
  if (last_idle_.idle_bytes() > 0) idle_ = last_idle_;
}

bool OutgoingRequests::TakeNext(v1::SessionRequest* request) {
  flush_due_ &= !released_.empty() || idle_.has_value();
  if (requests_.empty() && !flush_due_) return false;
  request->Clear();
  // What is given back before a request is asked for is for it, or for others.
  if (!requests_.empty() && released_.size() <= kMaxReleasesInMessage) {
    *request = std::move(requests_.front());
    requests_.pop_front();
  }
  if (idle_.has_value()) {
    *request->mutable_idle() = *std::exchange(idle_, std::nullopt);
  }
  while (!released_.empty() &&
         request->released_size() < static_cast<int>(kMaxReleasesInMessage)) {
    *request->add_released() = std::move(released_.front());
    released_.pop_front();
  }
  return true;
}

void OutgoingRequests::RemoveIf(
    absl::FunctionRef<bool(uint64_t tag)> unwanted) {
  std::erase_if(requests_, [&](const v1::SessionRequest& request) {
    return unwanted(request.tag());
  });
}

}  // namespace warmpool
