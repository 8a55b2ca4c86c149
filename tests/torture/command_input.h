// CommandInput: what the driver tells a client, on its standard input.
#ifndef WARMPOOL_TESTS_TORTURE_COMMAND_INPUT_H_
#define WARMPOOL_TESTS_TORTURE_COMMAND_INPUT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"

namespace warmpool::torture {

struct Command {
  enum class Kind {
    // Do nothing, and say so: number.
    kPause,
    kResume,
    // Attach to a buffer: name, stamper.
    kAttach,
    // Attach to it for reading: name, stamper.
    kRead,
    // Claim a ticket: name (the ticket), stamper, number (the generation of the
    // stamps).
    kClaim,
    // Release everything and exit.
    kQuit,
  };

  Kind kind = Kind::kQuit;
  uint64_t number = 0;
  std::string name = {};
  // The lease whose stamps the buffer has.
  RandomId stamper = {};

  std::string ToLine() const;
  // nullopt: it is no command.
  static std::optional<Command> FromLine(absl::string_view line);
};

// Not thread-safe.
class CommandInput {
 public:
  explicit CommandInput(int fd);

  // The next command, if one comes within `timeout`. At the end of the input
  // it is to quit.
  std::optional<Command> Wait(absl::Duration timeout);

 private:
  std::optional<Command> Next();

  const int fd_;
  std::string unread_;
  bool ended_ = false;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_COMMAND_INPUT_H_
