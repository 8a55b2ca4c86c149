// EpollSet: descriptors that a thread waits for (epoll(7)), and a way to wake
// it.
#ifndef WARMPOOL_CORE_BASE_EPOLL_SET_H_
#define WARMPOOL_CORE_BASE_EPOLL_SET_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/unique_fd.h"

namespace warmpool {

// Thread-safe, but one thread waits.
class EpollSet {
 public:
  static absl::StatusOr<EpollSet> Create();

  // `events` as in epoll_ctl(2). `tag` is what Wait returns, and is not 0.
  absl::Status Add(int fd, uint32_t events, uint64_t tag);
  // Closing the last descriptor of a file takes it out as well.
  void Remove(int fd);

  // The tags of what is ready, as soon as something is, Wake was called or the
  // time is over; a descriptor that was removed meanwhile may be among them.
  std::vector<uint64_t> Wait(absl::Duration timeout);

  // Makes the Wait under way, or else the next one, return.
  void Wake();

 private:
  EpollSet(UniqueFd epoll, UniqueFd wake)
      : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  UniqueFd epoll_;
  UniqueFd wake_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_EPOLL_SET_H_
