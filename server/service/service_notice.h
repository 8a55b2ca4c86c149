// What the daemon tells the service manager that started it: that it serves,
// and that it stops (sd_notify(3)). Where none asked for it (NOTIFY_SOCKET is
// not set) these do nothing. A manager that does not read is none of the
// daemon's concern: failures are ignored.
#ifndef WARMPOOL_SERVER_SERVICE_SERVICE_NOTICE_H_
#define WARMPOOL_SERVER_SERVICE_SERVICE_NOTICE_H_

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace warmpool {

// It accepts connections; `status` is a line for people.
void NoticeReady(const std::string& status);

// It drains, and may take `drain_timeout` for it, beyond which the manager's
// patience is as it was.
void NoticeStopping(absl::Duration drain_timeout);

// How often the daemon tells the manager that it lives: the manager asks for it
// within WatchdogSec=, and is three times as often. nullopt: it does not ask.
std::optional<absl::Duration> WatchdogPeriod();

// The daemon lives.
void NoticeAlive();

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVICE_SERVICE_NOTICE_H_
