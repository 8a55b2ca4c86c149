// Terminal: a program that shows one screenful after the other and is told what
// to do by single keys.
#ifndef WARMPOOL_CLIENT_TOOL_TERMINAL_H_
#define WARMPOOL_CLIENT_TOOL_TERMINAL_H_

#include <termios.h>

#include <cstddef>
#include <string>

namespace warmpool {

// Not thread-safe.
class Terminal {
 public:
  // Whether standard input and output are one that can be used so.
  static bool IsThere();

  // Takes the screen, and the keys as they are pressed. REQUIRES: IsThere().
  Terminal();
  // Gives both back as they were.
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  size_t columns() const;
  size_t rows() const;

  // Shows `text` instead of what was shown; lines are cut to fit.
  void Show(const std::string& text);

  // The next key, if one was pressed; 0: none. Does not wait.
  char ReadKey();

 private:
  termios before_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_TERMINAL_H_
