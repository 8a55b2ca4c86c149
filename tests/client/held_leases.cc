#include "tests/client/held_leases.h"

#include <algorithm>

namespace warmpool {

HeldLeases::HeldLeases(ScriptedDaemon* daemon) : daemon_(*daemon) {
  daemon_.on_lease = [this](const v1::LeaseRequest& request,
                            v1::LeaseResponse* response) {
    Grant(request.client_id(), request.request_id(), request.size_bytes(),
          response->mutable_lease());
    return grpc::Status::OK;
  };
  daemon_.on_attach = [this](const v1::AttachRequest& request,
                             v1::AttachResponse* response) {
    Grant(request.client_id(), request.request_id(), 4096,
          response->mutable_lease());
    return grpc::Status::OK;
  };
  daemon_.on_list_buffers = [this](const auto& request, auto* response) {
    List(request, response);
    return grpc::Status::OK;
  };
  daemon_.on_assert = [this](const auto& request, auto* response) {
    Assert(request, response);
    return grpc::Status::OK;
  };
  daemon_.on_renew = [this](const auto& request, auto* response) {
    Renew(request, response);
    return grpc::Status::OK;
  };
  daemon_.on_release = [this](const auto& request, auto* response) {
    Release(request, response);
    return grpc::Status::OK;
  };
}

std::string HeldLeases::Add(const std::string& client_id,
                            const std::string& request_id) {
  const v1::GrantedLease lease = daemon_.MakeLease(4096);
  MutexLock lock(&mutex_);
  held_[lease.lease_id()] = {lease, client_id, request_id};
  return lease.lease_id();
}

void HeldLeases::Forget(const std::string& lease_id) {
  MutexLock lock(&mutex_);
  held_.erase(lease_id);
}

void HeldLeases::ForgetAll() {
  MutexLock lock(&mutex_);
  held_.clear();
}

void HeldLeases::Restart() {
  ForgetAll();
  daemon_.LoseConnection();
}

void HeldLeases::Grant(const std::string& client_id,
                       const std::string& request_id, uint64_t bytes,
                       v1::GrantedLease* granted) {
  *granted = daemon_.MakeLease(bytes);
  granted->mutable_ttl()->set_seconds(ttl_seconds);
  {
    MutexLock lock(&mutex_);
    const auto same = std::find_if(
        held_.begin(), held_.end(),
        [&](const auto& held) { return held.second.request_id == request_id; });
    if (same == held_.end()) {
      held_[granted->lease_id()] = {*granted, client_id, request_id};
    } else {
      *granted = same->second.lease;
    }
  }
  if (before_grant_is_answered) before_grant_is_answered();
}

void HeldLeases::List(const v1::ListBuffersRequest& request,
                      v1::ListBuffersResponse* response) {
  MutexLock lock(&mutex_);
  ++lists_;
  std::vector<const Held*> found;
  for (const auto& [id, held] : held_) {
    if (held.client_id == request.client_id() &&
        held.lease.buffer_name() >= request.page_token()) {
      found.push_back(&held);
    }
  }
  std::sort(found.begin(), found.end(), [](const Held* a, const Held* b) {
    return a->lease.buffer_name() < b->lease.buffer_name();
  });
  for (const Held* held : found) {
    if (response->buffers_size() == static_cast<int>(page_size)) {
      response->set_next_page_token(held->lease.buffer_name());
      return;
    }
    v1::Buffer* const buffer = response->add_buffers();
    buffer->set_name(held->lease.buffer_name());
    // Somebody else's lease on the same buffer.
    buffer->add_leases()->set_lease_id("other");
    v1::BufferLease* const lease = buffer->add_leases();
    lease->set_lease_id(held->lease.lease_id());
    lease->set_client_id(held->client_id);
    lease->set_request_id(held->request_id);
  }
}

void HeldLeases::Assert(const v1::AssertRequest& request,
                        v1::AssertResponse* response) {
  MutexLock lock(&mutex_);
  assert_sizes_.push_back(request.leases_size());
  for (const v1::AssertRequest::AssertedLease& lease : request.leases()) {
    v1::AssertResponse::Asserted* const asserted = response->add_asserted();
    if (assert_result) {
      *asserted->mutable_result() = assert_result(lease.lease_id());
    }
    if (asserted->result().code() != 0) continue;
    v1::GrantedLease granted;
    granted.set_lease_id(lease.lease_id());
    granted.set_buffer_name(lease.buffer_name());
    held_[lease.lease_id()] = {granted, request.client_id(),
                               lease.request_id()};
    *asserted->mutable_ttl() = lease.ttl();
  }
}

void HeldLeases::Renew(const v1::RenewRequest& request,
                       v1::RenewResponse* response) {
  MutexLock lock(&mutex_);
  for (const v1::RenewRequest::Renewal& renewal : request.renewals()) {
    v1::RenewResponse::Renewed* const renewed = response->add_renewed();
    *renewed->mutable_ttl() = renewal.ttl();
    if (held_.contains(renewal.lease().lease_id())) continue;
    renewed->mutable_result()->set_code(grpc::StatusCode::NOT_FOUND);
  }
}

void HeldLeases::Release(const v1::ReleaseRequest& request,
                         v1::ReleaseResponse* response) {
  MutexLock lock(&mutex_);
  release_sizes_.push_back(request.leases_size());
  for (const v1::LeaseRef& ref : request.leases()) {
    const bool known = held_.erase(ref.lease_id()) > 0;
    response->add_results()->set_code(known ? grpc::StatusCode::OK
                                            : grpc::StatusCode::NOT_FOUND);
  }
}

bool HeldLeases::Has(const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  return held_.contains(lease_id);
}

size_t HeldLeases::size() const {
  MutexLock lock(&mutex_);
  return held_.size();
}

std::vector<int> HeldLeases::assert_sizes() const {
  MutexLock lock(&mutex_);
  return assert_sizes_;
}

std::vector<int> HeldLeases::release_sizes() const {
  MutexLock lock(&mutex_);
  return release_sizes_;
}

int HeldLeases::lists() const {
  MutexLock lock(&mutex_);
  return lists_;
}

}  // namespace warmpool
