// MemberProcess: this program again in another role, told by flags, with a pipe
// to its standard input and one from its standard output, read line by line.
// Not thread-safe; main thread only.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_MEMBER_PROCESS_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_MEMBER_PROCESS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/torture/tied_process.h"

namespace warmpool::torture {

class MemberProcess {
 public:
  using OnLine = std::function<void(absl::string_view line)>;

  explicit MemberProcess(const std::vector<std::string>& arguments);
  // Kills it.
  ~MemberProcess();
  MemberProcess(const MemberProcess&) = delete;
  MemberProcess& operator=(const MemberProcess&) = delete;

  // Where its lines come from: to poll.
  int output() const { return output_; }
  pid_t pid() const { return process_.pid(); }

  // Whole lines that it has written so far. Does not wait.
  void ReadLines(const OnLine& on_line);
  // The end of its input, by which it is told to end.
  void CloseInput();
  void Signal(int number) { process_.Signal(number); }
  // As TiedProcess. Its last lines may be unread.
  std::optional<int> Ended() { return process_.Ended(); }

 private:
  struct Pipes {
    Pipes();
    // Read end, write end.
    int input[2];
    int output[2];
  };

  MemberProcess(const std::vector<std::string>& arguments, const Pipes& pipes);

  TiedProcess process_;
  int input_ = -1;
  int output_ = -1;
  std::string unread_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_MEMBER_PROCESS_H_
