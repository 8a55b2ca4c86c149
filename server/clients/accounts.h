// Users and groups as people name them on a command line: by number or by name
// (getpwnam(3), getgrnam(3)).
#ifndef WARMPOOL_SERVER_CLIENTS_ACCOUNTS_H_
#define WARMPOOL_SERVER_CLIENTS_ACCOUNTS_H_

#include <sys/types.h>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// Reads a comma-separated list, which may be empty. A number need not belong
// to an account. INVALID_ARGUMENT, naming the entry: no such user or group, or
// the number that means "none" (2^32 - 1).
absl::StatusOr<absl::flat_hash_set<uid_t>> ParseUsers(absl::string_view list);
absl::StatusOr<absl::flat_hash_set<gid_t>> ParseGroups(absl::string_view list);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_ACCOUNTS_H_
