#include "core/base/epoll_set.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace warmpool {
namespace {

constexpr uint64_t kWakeTag = 0;

// For epoll_wait: rounded up, so that what was waited for is due afterwards.
int MillisecondsOf(absl::Duration timeout) {
  if (timeout >= absl::Milliseconds(std::numeric_limits<int>::max())) return -1;
  const int64_t milliseconds =
      absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
  return static_cast<int>(std::max<int64_t>(milliseconds, 0));
}

}  // namespace

absl::StatusOr<EpollSet> EpollSet::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeTag;
  if (!epoll.valid() || !wake.valid() ||
      epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) < 0) {
    return absl::ErrnoToStatus(errno, "can't make an epoll set");
  }
  return EpollSet(std::move(epoll), std::move(wake));
}

absl::Status EpollSet::Add(int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "can't add to an epoll set");
}

void EpollSet::Remove(int fd) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::vector<uint64_t> EpollSet::Wait(absl::Duration timeout) {
  std::array<epoll_event, 64> events;
  const int ready = epoll_wait(epoll_.get(), events.data(), events.size(),
                               MillisecondsOf(timeout));
  std::vector<uint64_t> tags;
  for (int i = 0; i < ready; ++i) {
    const uint64_t tag = events[i].data.u64;
    if (tag != kWakeTag) {
      tags.push_back(tag);
    } else {
      eventfd_t ignored;
      eventfd_read(wake_.get(), &ignored);
    }
  }
  return tags;
}

void EpollSet::Wake() { eventfd_write(wake_.get(), 1); }

}  // namespace warmpool
