#include "client/leases/mapped_lease.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rpc/conversion.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/directory/attach_segment.h"

namespace warmpool {
namespace {

absl::Status CheckGrant(const v1::GrantedLease& granted) {
  if (granted.size_bytes() > 0 &&
      granted.size_bytes() <= granted.mapped_bytes() &&
      granted.mapped_bytes() <= MappedLease::Classes().max_bytes()) {
    return absl::OkStatus();
  }
  return absl::InternalError(
      absl::StrCat("the daemon granted ", granted.size_bytes(),
                   " bytes in a segment of ", granted.mapped_bytes()));
}

// An older daemon gives the next lease the same file.
bool MayHaveExpired(const v1::GrantedLease& granted, absl::Time asked) {
  const absl::Duration ttl = DurationFromWire(granted.ttl());
  return ttl > absl::ZeroDuration() &&
         MonotonicClock::Get().Now() - asked >= ttl;
}

}  // namespace

const SizeClasses& MappedLease::Classes() {
  // Half of what a process can map: the daemon's own maximum is below.
  static const SizeClasses& classes =
      *new SizeClasses(SizeClasses::kMaxMaxBytes);
  return classes;
}

absl::StatusOr<std::unique_ptr<MappedLease>> MappedLease::Map(
    SystemCalls* calls, std::shared_ptr<LeaseSource> source, HeldLease held) {
  const absl::Time asked = held.asked;
  auto lease = std::make_unique<MappedLease>(calls, std::move(source),
                                             std::move(held), Segment());
  absl::Status mapped = CheckGrant(lease->granted);
  if (mapped.ok()) {
    mapped = lease->MapSegment(lease->granted.warmth() == v1::WARMTH_FRESH
                                   ? PageState::kReserved
                                   : PageState::kWritten);
  }
  if (mapped.ok() &&
      (lease->fate->ended || MayHaveExpired(lease->granted, asked))) {
    mapped = lease->source->Renew(lease->granted);
  }
  if (mapped.ok()) return lease;
  lease->End().IgnoreError();
  return mapped;
}

MappedLease::MappedLease(SystemCalls* calls,
                         std::shared_ptr<LeaseSource> source, HeldLease held,
                         Segment segment)
    : fate(std::move(held.fate)),
      segment(std::move(segment)),
      granted(std::move(held.granted)),
      source(std::move(source)),
      calls(calls),
      mark_(ForkGuard::Get().Mark()) {}

absl::Status MappedLease::CheckProcess() const {
  if (!mark_.Forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("buffer \"", granted.buffer_name(),
                   "\" is leased by the process that forked this one"));
}

absl::Status MappedLease::MapSegment(PageState pages) {
  const size_t bytes = granted.mapped_bytes();
  segment = Segment(*Classes().For(bytes), bytes, kOwner);
  segment.set_page_bytes(granted.page_size_bytes());
  return AttachSegment(*calls, granted.path(), source->daemon_uid(), writable(),
                       &segment, pages, source->mapping_scope());
}

void MappedLease::Share(uint64_t size_bytes) {
  shared.store(true, std::memory_order_relaxed);
  if (size_bytes == granted.size_bytes()) return;
  // Should the daemon be away, the source tells it later.
  source->TellSize(granted, size_bytes).IgnoreError();
  granted.set_size_bytes(size_bytes);
}

absl::Status MappedLease::Seal(v1::SealRequest request) {
  RETURN_IF_ERROR(CheckProcess());
  shared.store(true, std::memory_order_relaxed);
  const uint64_t size_bytes = request.size_bytes();
  absl::Status sealed =
      RemapSegment(*calls, granted.path(), source->daemon_uid(),
                   /*writable=*/false, segment, source->mapping_scope());
  if (!sealed.ok()) return sealed;
  sealed = source->Seal(granted, std::move(request));
  if (sealed.ok()) {
    granted.set_sealed(true);
    granted.set_size_bytes(size_bytes);
    granted.set_access(v1::ACCESS_READ_ONLY);
  } else if (!absl::IsUnavailable(sealed) &&
             !absl::IsDeadlineExceeded(sealed)) {
    const absl::Status writable =
        RemapSegment(*calls, granted.path(), source->daemon_uid(),
                     /*writable=*/true, segment, source->mapping_scope());
    if (!writable.ok()) granted.set_access(v1::ACCESS_READ_ONLY);
  }
  return sealed;
}

absl::Status MappedLease::MakeTicket(v1::MakeTicketRequest request,
                                     bool* given_up) {
  *given_up = false;
  RETURN_IF_ERROR(CheckProcess());
  if (granted.sealed()) {
    return absl::FailedPreconditionError(
        absl::StrCat("buffer \"", granted.buffer_name(),
                     "\" is sealed: others attach to it by its name"));
  }
  absl::Status made = Unmap();
  if (made.ok()) made = source->MakeTicket(granted, std::move(request));
  *given_up =
      made.ok() || absl::IsUnavailable(made) || absl::IsDeadlineExceeded(made);
  if (*given_up) return made;
  // While it was not mapped the lease may have ended, and its segment have
  // become another holder's: whoever still has the lease after mapping it has
  // it alone.
  if (MapSegment(PageState::kWritten).ok() && source->Renew(granted).ok()) {
    return made;
  }
  *given_up = true;
  EndLater();
  return made;
}

absl::Status MappedLease::End() {
  const absl::Status unmapped = Unmap();
  const absl::Status released = source->Release(granted);
  return released.ok() ? unmapped : released;
}

void MappedLease::EndLater(bool for_all_members) {
  Unmap().IgnoreError();
  v1::LeaseRef released = ref();
  released.set_for_all_members(for_all_members);
  source->ReleaseLater({std::move(released)});
}

Segment MappedLease::TakeSegment() {
  Segment taken = std::move(segment);
  taken.set_tag(reinterpret_cast<uintptr_t>(this));
  return taken;
}

MappedLease* MappedLease::Of(const Segment& taken) {
  return reinterpret_cast<MappedLease*>(taken.tag());
}

v1::LeaseRef MappedLease::ref() const {
  v1::LeaseRef ref;
  ref.set_lease_id(granted.lease_id());
  ref.set_generation(granted.generation());
  return ref;
}

bool MappedLease::writable() const {
  return granted.access() == v1::ACCESS_SHARED_WRITABLE;
}

// In a batch of its own: several adders to one batch that ends inline may end
// each other's segments, and then Add returns before its own has ended. A
// forked child may not take a lock that its parent shares, either.
absl::Status MappedLease::Unmap() {
  if (mark_.Forked() && !source->mapping_scope().forked_children) {
    // Nothing was inherited: at its address is what the child has mapped since.
    segment.set_data(nullptr);
    segment.parts() = Segment::Parts();
    return absl::OkStatus();
  }
  UnmapBatch batch(calls,
                   {.drain = UnmapBatch::Drain::kInline, .threshold_bytes = 0});
  const size_t bytes = segment.bytes();
  batch.Add(std::move(segment), MonotonicClock::Get().Now());
  if (batch.counts().failed_calls == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the kernel refused to unmap ", bytes, " bytes"));
}

}  // namespace warmpool
