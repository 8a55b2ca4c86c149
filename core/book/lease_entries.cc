#include "core/book/lease_entries.h"

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"

namespace warmpool {

absl::Status BufferEntry::MayHaveAnotherLease() const {
  if (leases.size() < kMaxMemberLeases || ChannelOf(name).empty()) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("buffer \"", name, "\" has ", leases.size(),
                   " leases of its channel's members: release some"));
}

}  // namespace warmpool
