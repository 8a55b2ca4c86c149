// UniqueFd: owns a file descriptor.
#ifndef WARMPOOL_CORE_BASE_UNIQUE_FD_H_
#define WARMPOOL_CORE_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace warmpool {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this == &other) return *this;
    Reset();
    fd_ = other.Release();
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Gives the descriptor up to the caller.
  int Release() { return std::exchange(fd_, -1); }
  void Reset() {
    if (fd_ >= 0) close(Release());
  }

 private:
  int fd_ = -1;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_UNIQUE_FD_H_
