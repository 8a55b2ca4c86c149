// Crew: the client processes, as the driver has them: this program again, each
// told by flags which client it is. Commands go to their standard input, and
// reports come from their standard output.
//
// Not thread-safe; main thread only.
#ifndef WARMPOOL_TESTS_TORTURE_CREW_H_
#define WARMPOOL_TESTS_TORTURE_CREW_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/torture/report.h"
#include "tests/torture/tied_process.h"

namespace warmpool::torture {

class Crew {
 public:
  using OnReport = std::function<void(int client, const Report& report)>;

  // `arguments` are those of every client, besides its number. Between two
  // pipes it may wait for up to `lag`, as if it got no processor.
  Crew(std::vector<std::string> arguments, absl::Duration lag,
       OnReport on_report);
  // Kills them all.
  ~Crew();

  // Starts another; returns its number, which is never given twice.
  int Start();

  // SIGKILL; returns when the process is gone and its reports are read.
  void Kill(int client);
  void Signal(int client, int number);
  // Takes note that a client has ended; returns how, or nullopt if it runs.
  std::optional<int> Ended(int client);

  // Those that have not ended.
  std::vector<int> running() const;
  // Whether one of them has, or had, this pid.
  bool Has(pid_t pid) const;
  pid_t pid(int client) const { return members_.at(client).process->pid(); }

  // A client that is stopped and has many unread may miss a command.
  void Send(int client, const std::string& command);

  // Waits for reports up to `timeout`, then reads all pipes, one after the
  // other. Returns when it began to: every report that was made before has been
  // read.
  absl::Time Read(absl::Duration timeout);

 private:
  struct Member {
    std::unique_ptr<TiedProcess> process;
    bool running = true;
    // Ours of the two pipes. The first is closed last: forked children of a
    // client end when it is.
    int commands = -1;
    int reports = -1;
    std::string unread = {};
  };

  // Returns false at the end of the pipe.
  bool ReadFrom(int client, Member& member);
  // What a process that is gone has left.
  void ReadToTheEnd(int client, Member& member);
  void Close(Member& member);
  void Lag();

  const std::vector<std::string> arguments_;
  const absl::Duration lag_;
  std::minstd_rand lag_random_;
  const OnReport on_report_;
  int next_number_ = 0;
  // Also those that have ended, while children of theirs may report.
  std::map<int, Member> members_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_CREW_H_
