// What only an admin may do. A holder is an admin if its uid is root, the
// daemon's own or one of --admin_uid (Admission::IsAdmin).
#ifndef WARMPOOL_SERVER_CLIENTS_AUTHORIZATION_H_
#define WARMPOOL_SERVER_CLIENTS_AUTHORIZATION_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/lease/lease.h"

namespace warmpool {

// PERMISSION_DENIED unless `caller` is an admin: a caller that is not known is
// none. The message says that only admins may `deed`.
absl::Status RequireAdmin(const absl::StatusOr<Holder>& caller,
                          absl::string_view deed);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_AUTHORIZATION_H_
