#include "tests/core/memory/other_process.h"

#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/check.h"

namespace warmpool {

OtherProcess::OtherProcess(const std::function<bool()>& deed) {
  int done[2];
  WARMPOOL_CHECK(pipe(done) == 0, "no pipe");
  pid_ = fork();
  WARMPOOL_CHECK(pid_ >= 0, "no fork");
  if (pid_ == 0) {
    // Not to be left behind by a test that dies.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char answer = deed() ? 1 : 0;
    if (write(done[1], &answer, 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(done[1]);
  char answer = 0;
  succeeded_ = read(done[0], &answer, 1) == 1 && answer == 1;
  close(done[0]);
}

void OtherProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool BecomeUid(uid_t uid) {
  if (uid == geteuid()) return true;
  const bool became = setgroups(0, nullptr) == 0 &&
                      setresgid(uid, uid, uid) == 0 &&
                      setresuid(uid, uid, uid) == 0;
  // Another uid takes it away.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return became;
}

}  // namespace warmpool
