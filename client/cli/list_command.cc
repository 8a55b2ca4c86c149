#include <optional>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/listing.h"
#include "core/base/status_macros.h"

ABSL_FLAG(std::string, name_prefix, "", "Only buffers whose names start so");
ABSL_FLAG(std::optional<int32_t>, holder, std::nullopt,
          "Only buffers that the process of this pid holds");
ABSL_FLAG(std::string, sort, "name",
          "Buffers by name, size, age, attached, pid or ttl (left)");
ABSL_FLAG(std::optional<uint32_t>, uid, std::nullopt,
          "Only buffers of this user");

namespace warmpool {
namespace {

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool list takes no arguments");
  }
  v1::ListBuffersRequest filter;
  filter.set_name_prefix(absl::GetFlag(FLAGS_name_prefix));
  if (const std::optional<int32_t> pid = absl::GetFlag(FLAGS_holder)) {
    // 0 would mean all.
    if (*pid <= 0)
      return UsageError(absl::StrCat("--holder=", *pid, " is not a pid"));
    filter.set_holder_pid(*pid);
  }
  if (const std::optional<uint32_t> uid = absl::GetFlag(FLAGS_uid)) {
    filter.set_uid(*uid);
  }
  const std::string order_name = absl::GetFlag(FLAGS_sort);
  const std::optional<BufferOrder> order = BufferOrderNamed(order_name);
  if (!order.has_value()) {
    return UsageError(
        absl::StrCat("--sort=", order_name,
                     " is none of name, size, age, attached, pid, ttl"));
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  ASSIGN_OR_RETURN(const std::vector<v1::Buffer> buffers,
                   admin->ListBuffers(filter));
  cli::BufferListing listing = MakeListing(buffers);
  SortBuffers(*order, &listing);
  Print(listing, ListingText(listing));
  return absl::OkStatus();
}

}  // namespace

Command ListCommand() {
  return {
      .name = "list",
      .arguments = "",
      .summary = "leased buffers, and the processes that hold them",
      .help =
          "Prints a line for each lease, ordered by the buffer's name. "
          "SIZE was asked for,\nCLASS is what its segment has. ATTACHED "
          "counts the leases of processes on it.\nTTL LEFT is \"process\" "
          "for a lease that lasts as long as its process; a lease\nthat "
          "nobody has is a ticket, or lingers. LEASE is what release "
          "takes.\nBelow, a line for each channel that has buffers: MEMBERS "
          "are the pids of those\nwho have one mapped.\n\n"
          "  warmpool list --name_prefix=camera/\n"
          "  warmpool list --sort=size --json\n",
      .flags = {"name_prefix", "holder", "sort", "uid"},
      .run = Run};
}

}  // namespace warmpool
