#include "tests/torture/command_input.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace warmpool::torture {

std::string Command::ToLine() const {
  switch (kind) {
    case Kind::kPause: return absl::StrCat("pause ", number);
    case Kind::kResume: return "resume";
    case Kind::kAttach:
      return absl::StrCat("attach ", name, " ", stamper.ToHex());
    case Kind::kRead: return absl::StrCat("read ", name, " ", stamper.ToHex());
    case Kind::kClaim:
      return absl::StrCat("claim ", name, " ", stamper.ToHex(), " ", number);
    case Kind::kQuit: return "quit";
  }
  return "";
}

std::optional<Command> Command::FromLine(absl::string_view line) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  Command command;
  if (words[0] == "pause" && words.size() == 2 &&
      absl::SimpleAtoi(words[1], &command.number)) {
    command.kind = Kind::kPause;
  } else if (words[0] == "resume" && words.size() == 1) {
    command.kind = Kind::kResume;
  } else if ((words[0] == "attach" || words[0] == "read") &&
             words.size() == 3) {
    const std::optional<RandomId> stamper = RandomId::FromHex(words[2]);
    if (!stamper.has_value()) return std::nullopt;
    command.kind = words[0] == "read" ? Kind::kRead : Kind::kAttach;
    command.name = std::string(words[1]);
    command.stamper = *stamper;
  } else if (words[0] == "claim" && words.size() == 4 &&
             absl::SimpleAtoi(words[3], &command.number)) {
    const std::optional<RandomId> stamper = RandomId::FromHex(words[2]);
    if (!stamper.has_value()) return std::nullopt;
    command.kind = Kind::kClaim;
    command.name = std::string(words[1]);
    command.stamper = *stamper;
  } else if (words[0] == "quit" && words.size() == 1) {
    command.kind = Kind::kQuit;
  } else {
    return std::nullopt;
  }
  return command;
}

CommandInput::CommandInput(int fd) : fd_(fd) {
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

std::optional<Command> CommandInput::Wait(absl::Duration timeout) {
  if (std::optional<Command> command = Next()) return command;
  if (ended_) return Command{.kind = Command::Kind::kQuit};
  pollfd polled{.fd = fd_, .events = POLLIN, .revents = 0};
  if (poll(&polled, 1, static_cast<int>(absl::ToInt64Milliseconds(timeout))) <=
      0) {
    return std::nullopt;
  }
  char bytes[4096];
  const ssize_t count = read(fd_, bytes, sizeof(bytes));
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
    ended_ = true;
    return Command{.kind = Command::Kind::kQuit};
  }
  if (count > 0) unread_.append(bytes, static_cast<size_t>(count));
  return Next();
}

std::optional<Command> CommandInput::Next() {
  const size_t end = unread_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return Command::FromLine(line);
}

}  // namespace warmpool::torture
