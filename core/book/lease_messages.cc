#include "core/book/lease_messages.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

std::string Describe(const Process& process) {
  return absl::StrCat(
      "pid ", process.pid,
      process.command.empty() ? "" : absl::StrCat(" (", process.command, ")"));
}

std::string DescribeMaker(const LeaseEntry& lease) {
  return lease.maker == nullptr ? "a process" : Describe(*lease.maker);
}

}  // namespace

const char* DescribeEnd(LeaseKind kind, EndCause cause) {
  if (kind == LeaseKind::kTicket && cause == EndCause::kHandedOver) {
    return "was claimed before: it is good for one claim";
  }
  switch (cause) {
    case EndCause::kUnclaimed:
      return "expired before it was claimed: its maker must make another one, "
             "with a longer time to live if need be";
    case EndCause::kLingered: return "ended: its buffer was kept long enough";
    case EndCause::kReleased: return "was released";
    case EndCause::kExpired: return "expired: renew it within its time to live";
    case EndCause::kRevoked: return "was revoked";
    case EndCause::kHolderDied: return "ended with its holder's process";
    case EndCause::kHandedOver:
      return "was handed over: its ticket is good for one claim";
    case EndCause::kUnused:
      return "ended: nobody used it, and its holder had "
             "no connection";
  }
  return "ended";
}

absl::Status NameTaken(const BufferEntry& buffer, const LeaseEntry& first,
                       const Holder& holder, absl::Time now) {
  std::string by;
  switch (first.kind) {
    case LeaseKind::kHeld:
      by = absl::StrCat(Describe(holder.process()), " has held it");
      break;
    case LeaseKind::kTicket:
      by = absl::StrCat("a ticket that ", DescribeMaker(first),
                        " made for it has been out");
      break;
    case LeaseKind::kLingering:
      by =
          absl::StrCat("sealed by ", DescribeMaker(first), ", it has lingered");
      break;
  }
  return absl::AlreadyExistsError(
      absl::StrCat("buffer name \"", buffer.name, "\" is taken: ", by, " for ",
                   absl::FormatDuration(absl::Trunc(now - buffer.granted_at,
                                                    absl::Milliseconds(1)))));
}

}  // namespace warmpool
