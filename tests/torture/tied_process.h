// TiedProcess: a program that dies with the process that started it.
#ifndef WARMPOOL_TESTS_TORTURE_TIED_PROCESS_H_
#define WARMPOOL_TESTS_TORTURE_TIED_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace warmpool::torture {

// To be made by the main thread: the kernel ends the program when the thread
// ends that started it. Not thread-safe.
class TiedProcess {
 public:
  // -1: as in this process.
  struct Files {
    int input = -1;
    int output = -1;
    int error = -1;
  };

  // Runs `arguments[0]`, in a process group of its own: a terminal's SIGINT is
  // for this process alone. `environment` is added ("NAME=value").
  TiedProcess(const std::vector<std::string>& arguments, const Files& files,
              const std::vector<std::string>& environment = {});
  // Kills it.
  ~TiedProcess();
  TiedProcess(const TiedProcess&) = delete;
  TiedProcess& operator=(const TiedProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int number);
  // SIGKILL; returns when the process is gone.
  void Kill();
  // How it ended, as waitpid(2) tells it; nullopt while it runs.
  std::optional<int> Ended();

 private:
  pid_t pid_ = -1;
  std::optional<int> wait_status_;
};

// "exited with 1", "was ended by signal 7 (Bus error)".
std::string HowItEnded(int wait_status);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_TIED_PROCESS_H_
