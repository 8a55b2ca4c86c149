#include "tests/torture/hostile/other_uid.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace warmpool::torture {

absl::Status BecomeUid(uid_t uid) {
  const pid_t parent = getppid();
  if (setgroups(0, nullptr) < 0 || setgid(uid) < 0 || setuid(uid) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't become uid ", uid));
  }
  // The kernel has forgotten it with the credentials. If the parent died before
  // that, another is the parent by then.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return absl::CancelledError("the driver is gone");
  return absl::OkStatus();
}

absl::Status YieldToEverybody() {
  const sched_param parameters{};
  if (sched_setscheduler(0, SCHED_IDLE, &parameters) < 0) {
    return absl::ErrnoToStatus(errno, "no SCHED_IDLE");
  }
  return absl::OkStatus();
}

}  // namespace warmpool::torture
