// What a process of the torture's does to be another user's, and to cost others
// no processor time. Main thread only, before any other is started.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_OTHER_UID_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_OTHER_UID_H_

#include <sys/types.h>

#include "absl/status/status.h"

namespace warmpool::torture {

// Gives up root and all groups, for good, and goes on to die with its parent.
absl::Status BecomeUid(uid_t uid);

// SCHED_IDLE: whoever has anything to do goes first.
absl::Status YieldToEverybody();

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_OTHER_UID_H_
