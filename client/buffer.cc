#include "client/buffer.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/buffer_lease.h"
#include "client/conversion.h"
#include "core/base/clock.h"
#include "core/caching/unmap_batch.h"
#include "core/memory/attach_segment.h"
#include "core/memory/size_class.h"
#include "core/memory/system_calls.h"

namespace warmpool {
namespace {

// Half of what a process can map: the daemon's own maximum is below.
constexpr size_t kMaxBytes = size_t{1} << 46;

absl::Status CheckGrant(const v1::GrantedLease& granted) {
  if (granted.size_bytes() > 0 &&
      granted.size_bytes() <= granted.mapped_bytes() &&
      granted.mapped_bytes() <= kMaxBytes) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat("the daemon granted ", granted.size_bytes(),
                   " bytes in a segment of ", granted.mapped_bytes()));
}

bool IsWritable(const v1::GrantedLease& granted) {
  return granted.access() == v1::ACCESS_SHARED_WRITABLE;
}

// Returns when the segment is unmapped. A batch of its own: several adders to
// one batch that ends inline may end each other's segments, and then Add
// returns before its own has ended. A forked child may not take a lock that
// its parent shares, either.
absl::Status EndNow(Segment segment) {
  UnmapBatch batch(&LinuxSystemCalls::Get(),
                   {.drain = UnmapBatch::Drain::kInline, .threshold_bytes = 0});
  const size_t bytes = segment.bytes();
  batch.Add(std::move(segment), MonotonicClock::Get().Now());
  if (batch.counts().failed_calls == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the kernel refused to unmap ", bytes, " bytes"));
}

absl::Status NoLease() {
  return absl::FailedPreconditionError("the buffer holds no lease");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Buffer::Lease>> Buffer::Lease::Map(
    std::shared_ptr<Connection> connection, v1::GrantedLease granted) {
  auto lease = std::make_unique<Lease>();
  lease->connection = std::move(connection);
  lease->granted = std::move(granted);
  absl::Status mapped = CheckGrant(lease->granted);
  if (mapped.ok()) {
    static const SizeClasses& size_classes = *new SizeClasses(kMaxBytes);
    const size_t bytes = lease->granted.mapped_bytes();
    lease->segment = Segment(*size_classes.For(bytes), bytes, geteuid());
    mapped = AttachSegment(LinuxSystemCalls::Get(), lease->granted.path(),
                           IsWritable(lease->granted), &lease->segment);
  }
  if (!mapped.ok()) {
    lease->End().IgnoreError();
    return mapped;
  }
  return lease;
}

absl::Status Buffer::Lease::End() {
  const absl::Status unmapped = EndNow(std::move(segment));
  const absl::Status released = connection->Release(granted);
  return released.ok() ? unmapped : released;
}

Buffer::Buffer() = default;

Buffer::Buffer(std::unique_ptr<Lease> lease)
    : data_(lease->segment.data()),
      size_(lease->granted.size_bytes()),
      lease_(std::move(lease)) {}

Buffer::~Buffer() {
  if (valid()) Release().IgnoreError();
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      lease_(std::move(other.lease_)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  if (valid()) Release().IgnoreError();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  lease_ = std::move(other.lease_);
  return *this;
}

const std::string& Buffer::name() const {
  return lease_->granted.buffer_name();
}

const std::string& Buffer::lease_id() const {
  return lease_->granted.lease_id();
}

uint64_t Buffer::generation() const { return lease_->granted.generation(); }

bool Buffer::writable() const { return IsWritable(lease_->granted); }

BufferWarmth Buffer::warmth() const {
  switch (lease_->granted.warmth()) {
    case v1::WARMTH_STOCK:
      return BufferWarmth::kStock;
    case v1::WARMTH_FRESH:
      return BufferWarmth::kFresh;
    default:
      return BufferWarmth::kWarm;
  }
}

bool Buffer::zeroed() const { return lease_->granted.zeroed(); }

size_t Buffer::page_size() const { return lease_->granted.page_size_bytes(); }

size_t Buffer::mapped_size() const { return lease_->segment.bytes(); }

absl::Duration Buffer::ttl() const {
  return DurationFromWire(lease_->granted.ttl());
}

absl::Status Buffer::Renew() {
  return valid() ? lease_->connection->Renew(lease_->granted) : NoLease();
}

absl::Status Buffer::Release() {
  if (!valid()) return NoLease();
  data_ = nullptr;
  size_ = 0;
  return std::exchange(lease_, nullptr)->End();
}

}  // namespace warmpool
