#include "server/pressure/pressure_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

// "some": at least one process waits. Microseconds waited, of a window of so
// many. A process without CAP_SYS_RESOURCE may ask for windows of whole two
// seconds only (Linux 6.5; before, for none).
constexpr char kTrigger[] = "some 200000 2000000";

// The trigger lives as long as the descriptor.
absl::Status Watch(const std::string& file, UniqueFd* watched) {
  UniqueFd fd(open(file.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  // The kernel wants the terminating zero as well.
  if (!fd.valid() || write(fd.get(), kTrigger, sizeof(kTrigger)) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't watch ", file));
  }
  *watched = std::move(fd);
  return absl::OkStatus();
}

}  // namespace

absl::Status PressureWatch::Start(const std::vector<std::string>& files,
                                  std::function<void()> on_pressure) {
  absl::Status first = absl::NotFoundError("no file to watch");
  bool failed = false;
  for (const std::string& file : files) {
    UniqueFd fd;
    const absl::Status status = Watch(file, &fd);
    if (status.ok()) {
      watched_.push_back(std::move(fd));
    } else if (!std::exchange(failed, true)) {
      first = status;
    }
  }
  if (watched_.empty()) return first;
  stop_ = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_.valid()) {
    watched_.clear();
    return absl::ErrnoToStatus(errno, "can't make an eventfd");
  }
  return thread_.Start(
      "wpd-pressure",
      [this, on_pressure = std::move(on_pressure)] { Main(on_pressure); });
}

void PressureWatch::Stop() {
  if (!thread_.running()) return;
  // A counter of 64 bits takes another one.
  eventfd_write(stop_.get(), 1);
  thread_.Join();
}

void PressureWatch::Main(const std::function<void()>& on_pressure) {
  std::vector<pollfd> polled = {{stop_.get(), POLLIN, 0}};
  for (const UniqueFd& fd : watched_) polled.push_back({fd.get(), POLLPRI, 0});
  for (;;) {
    if (poll(polled.data(), polled.size(), /*timeout=*/-1) < 0) {
      if (errno == EINTR) continue;
      return;
    }
    if (polled[0].revents != 0) return;
    bool pressure = false;
    for (pollfd& file : polled) {
      pressure |= (file.revents & POLLPRI) != 0;
      // Its group is gone, and would be reported for ever.
      if ((file.revents & (POLLERR | POLLNVAL)) != 0) file.fd = -1;
    }
    if (pressure) on_pressure();
  }
}

}  // namespace warmpool
