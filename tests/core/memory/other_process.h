// OtherProcess: a child of the test that does one thing and then stays, as
// somebody else who has a file open, mapped or locked.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_OTHER_PROCESS_H_
#define WARMPOOL_TESTS_CORE_MEMORY_OTHER_PROCESS_H_

#include <sys/types.h>

#include <functional>

namespace warmpool {

// REQUIRES: the test has no other thread, which a fork would not take along.
class OtherProcess {
 public:
  // Returns once `deed` has been done in the child.
  explicit OtherProcess(const std::function<bool()>& deed);
  ~OtherProcess() { Kill(); }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;

  // What the deed returned.
  bool succeeded() const { return succeeded_; }
  pid_t pid() const { return pid_; }

  // kill -9; returns when the kernel has let go of all it had.
  void Kill();

 private:
  pid_t pid_ = -1;
  bool succeeded_ = false;
};

// For deeds: from here on this process, which must be root's, is the uid's and
// has no capability. Tells whether it worked.
bool BecomeUid(uid_t uid);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_OTHER_PROCESS_H_
