#include "warmpool/buffer.h"

#include <memory>
#include <utility>

#include "client/cache/lease_cache.h"
#include "client/leases/mapped_lease.h"
#include "client/rpc/conversion.h"
#include "core/base/random_id.h"

namespace warmpool {
namespace {

absl::Status NoLease() {
  return absl::FailedPreconditionError("the buffer holds no lease");
}

// Whether a lease cache took `lease`.
bool Keep(MappedLease* lease) {
  LeaseCache* const cache = lease->cache.get();
  return cache != nullptr && cache->Put(lease);
}

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  lease_ = std::move(other.lease_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Buffer::GiveBack::operator()(MappedLease* lease) const {
  if (Keep(lease)) return;
  const std::unique_ptr<MappedLease> unkept(lease);
  unkept->EndLater();
}

absl::Status Buffer::Release() {
  if (!valid()) return NoLease();
  data_ = nullptr;
  size_ = 0;
  MappedLease* const held = lease_.release();
  if (Keep(held)) return absl::OkStatus();
  const std::unique_ptr<MappedLease> lease(held);
  return lease->End();
}

absl::Status Buffer::Seal(SealOptions options) {
  if (!valid()) return NoLease();
  v1::SealRequest request;
  request.set_size_bytes(size_);
  *request.mutable_linger() = DurationToWire(options.linger);
  request.mutable_share_with_uids()->Add(options.share_with_uids.begin(),
                                         options.share_with_uids.end());
  request.mutable_share_with_gids()->Add(options.share_with_gids.begin(),
                                         options.share_with_gids.end());
  return lease_->Seal(std::move(request));
}

bool Buffer::sealed() const { return lease_->granted.sealed(); }

absl::StatusOr<std::string> Buffer::MakeTicket(TicketOptions options) {
  if (!valid()) return NoLease();
  std::string ticket = KernelRandom::Get().Next().ToBytes();
  v1::MakeTicketRequest request;
  request.set_ticket(ticket);
  *request.mutable_ttl() = DurationToWire(options.ttl);
  request.set_size_bytes(size_);
  bool given_up = false;
  const absl::Status made = lease_->MakeTicket(std::move(request), &given_up);
  if (given_up) {
    delete lease_.release();
    size_ = 0;
  }
  data_ = given_up ? nullptr : lease_->segment.data();
  if (!made.ok()) return made;
  return ticket;
}

absl::Status Buffer::Renew() {
  return valid() ? lease_->source->Renew(lease_->granted) : NoLease();
}

const std::string& Buffer::name() const {
  lease_->Share(size_);
  return lease_->granted.buffer_name();
}

const std::string& Buffer::lease_id() const {
  return lease_->granted.lease_id();
}

uint64_t Buffer::generation() const { return lease_->granted.generation(); }

bool Buffer::writable() const { return lease_->writable(); }

BufferWarmth Buffer::warmth() const {
  if (lease_->reused) return BufferWarmth::kWarm;
  switch (lease_->granted.warmth()) {
    case v1::WARMTH_STOCK: return BufferWarmth::kStock;
    case v1::WARMTH_FRESH: return BufferWarmth::kFresh;
    default: return BufferWarmth::kWarm;
  }
}

bool Buffer::zeroed() const {
  return !lease_->reused && lease_->granted.zeroed();
}

size_t Buffer::page_size() const { return lease_->granted.page_size_bytes(); }

size_t Buffer::mapped_size() const { return lease_->segment.bytes(); }

absl::Duration Buffer::ttl() const {
  return DurationFromWire(lease_->granted.ttl());
}

}  // namespace warmpool
