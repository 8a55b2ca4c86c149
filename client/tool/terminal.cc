#include "client/tool/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

// Control sequences of ECMA-48 and xterm.
constexpr char kEnter[] = "\x1b[?1049h\x1b[?25l";
constexpr char kLeave[] = "\x1b[?25h\x1b[?1049l";
constexpr char kHome[] = "\x1b[H";
constexpr char kClearToEndOfLine[] = "\x1b[K";
constexpr char kClearBelow[] = "\x1b[J";

constexpr size_t kUsualColumns = 80;
constexpr size_t kUsualRows = 24;

winsize Size() {
  winsize size{};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  return size;
}

void Write(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

bool Terminal::IsThere() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
         kind != nullptr && absl::string_view(kind) != "dumb";
}

Terminal::Terminal() {
  tcgetattr(STDIN_FILENO, &before_);
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  // The keys for signals stay, but for those after which the terminal could not
  // be given back.
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  raw.c_cc[VQUIT] = _POSIX_VDISABLE;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  Write(kEnter);
}

Terminal::~Terminal() {
  Write(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
}

size_t Terminal::columns() const {
  const size_t columns = Size().ws_col;
  return columns == 0 ? kUsualColumns : columns;
}

size_t Terminal::rows() const {
  const size_t rows = Size().ws_row;
  return rows == 0 ? kUsualRows : rows;
}

void Terminal::Show(const std::string& text) {
  // Over what is there, as clearing first would flicker.
  std::string shown = kHome;
  const size_t most = columns();
  absl::string_view separator;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // Cleared before it is written: a line as wide as the terminal would lose
    // its last character after.
    absl::StrAppend(&shown, separator, kClearToEndOfLine, line.substr(0, most));
    separator = "\n";
  }
  Write(shown + kClearBelow);
}

char Terminal::ReadKey() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char key = 0;
  if (poll(&input, 1, 0) <= 0 || read(STDIN_FILENO, &key, 1) != 1) return 0;
  return key;
}

}  // namespace warmpool
