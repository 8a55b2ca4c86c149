#include "client/channels/channel_leases.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"

namespace warmpool {

ChannelLeases::ChannelLeases(std::string channel,
                             std::shared_ptr<LeaseSource> source,
                             SystemCalls* calls)
    : channel_(std::move(channel)),
      source_(std::move(source)),
      calls_(*calls) {}

absl::StatusOr<std::unique_ptr<MappedLease>> ChannelLeases::Make(
    uint64_t bytes, LeaseSource::GiveBack give_back) const {
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  request.set_channel(channel_);
  ASSIGN_OR_RETURN(HeldLease held,
                   source_->Lease(std::move(request), give_back));
  ASSIGN_OR_RETURN(std::unique_ptr<MappedLease> lease,
                   MappedLease::Map(&calls_, source_, std::move(held)));
  if (ChannelBufferId(lease->granted.buffer_name()).has_value()) return lease;
  lease->EndLater();
  return absl::UnimplementedError(
      "this daemon has no channels: install a later one");
}

absl::StatusOr<std::unique_ptr<MappedLease>> ChannelLeases::Attach(
    const RandomId& id) const {
  absl::StatusOr<std::unique_ptr<MappedLease>> lease = TryAttach(id);
  const absl::Status& status = lease.status();
  if (!absl::IsNotFound(status) && !absl::IsFailedPrecondition(status)) {
    return lease;
  }
  return absl::NotFoundError(absl::StrCat(
      "channel \"", channel_,
      "\" has this buffer no more: a member that could have had it died, or "
      "ended it, before it was mapped here, or its token came later than the "
      "ChannelOptions::take_within of the member that made it (",
      status.message(), ")"));
}

absl::StatusOr<std::unique_ptr<MappedLease>> ChannelLeases::TryAttach(
    const RandomId& id) const {
  v1::AttachRequest request;
  request.set_name(ChannelBufferName(channel_, id));
  request.set_access(v1::ACCESS_SHARED_WRITABLE);
  ASSIGN_OR_RETURN(HeldLease held, source_->Attach(std::move(request)));
  ASSIGN_OR_RETURN(std::unique_ptr<MappedLease> lease,
                   MappedLease::Map(&calls_, source_, std::move(held)));
  // Until it was mapped here its giver's death may have freed it, for somebody
  // else: whoever has the lease after that has the buffer.
  const absl::Status renewed = source_->Renew(lease->granted);
  if (renewed.ok()) return lease;
  lease->EndLater();
  return renewed;
}

absl::StatusOr<LeaseSource::LeasesByBuffer> ChannelLeases::List() const {
  return source_->LeasesOn(ChannelBufferPrefix(channel_));
}

}  // namespace warmpool
