// ChildProcess: a program run by a test.
#ifndef WARMPOOL_TESTS_SUPPORT_CHILD_PROCESS_H_
#define WARMPOOL_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace warmpool::testing {

// A child process that is killed, and waited for, with this object.
class ChildProcess {
 public:
  // Runs a program, its standard input and output piped to here.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // A line of its standard output without the newline; empty at its end.
  std::string ReadLine();
  // All of it, to its end.
  std::string ReadAll();
  void WriteLine(const std::string& line);
  void Signal(int number);
  // Exit code, or 128 + the signal that ended it.
  int Wait();

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  int exit_code_ = 0;
};

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SUPPORT_CHILD_PROCESS_H_
