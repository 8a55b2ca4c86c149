#include "server/clients/authorization.h"

#include "absl/strings/str_cat.h"

namespace warmpool {

absl::Status RequireAdmin(const absl::StatusOr<Holder>& caller,
                          absl::string_view deed) {
  if (caller.ok() && caller->admin) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "only uid 0, the daemon's own uid and --admin_uid may ", deed));
}

}  // namespace warmpool
