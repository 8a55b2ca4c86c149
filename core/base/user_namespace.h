// What uids mean in this process's user namespace (user_namespaces(7)). The
// kernel shows one uid, 65534 unless it was told another, for all users that
// the namespace does not know: so different users look alike, and may look like
// this process's own.
#ifndef WARMPOOL_CORE_BASE_USER_NAMESPACE_H_
#define WARMPOOL_CORE_BASE_USER_NAMESPACE_H_

#include <sys/types.h>

#include "absl/strings/string_view.h"

namespace warmpool {

// Whether `uid`, as the kernel shows it, may stand for any user that this
// namespace does not know. Thread-safe; reads a file where it is 65534.
bool MayBeAnyUser(uid_t uid);

// The same where the file /proc/self/uid_map reads so.
bool MapsAllUsers(absl::string_view uid_map);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_USER_NAMESPACE_H_
