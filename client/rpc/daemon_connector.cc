#include "client/rpc/daemon_connector.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/clock.h"

namespace warmpool {

DaemonConnector::DaemonConnector(std::string socket_path,
                                 const TrustedPeers& trusted)
    : socket_path_(std::move(socket_path)),
      trusted_(trusted),
      last_try_(absl::UnavailableError(
          absl::StrCat("no connection to ", socket_path_, " was tried"))) {}

absl::StatusOr<std::shared_ptr<DaemonLink>> DaemonConnector::Get(
    absl::Time until, bool wait) {
  for (int denied = 0;;) {
    std::shared_ptr<DaemonLink> link = Current();
    if (link->alive()) return link;
    absl::StatusOr<std::shared_ptr<DaemonLink>> made = Try(until);
    if (made.ok() || !wait) return made;
    const bool refused = !peer().has_value();
    if (refused && absl::IsResourceExhausted(made.status())) return made;
    // A daemon that starts makes its socket first, and then lets others
    // connect.
    if (refused && absl::IsPermissionDenied(made.status()) && ++denied > 1) {
      return made;
    }
    const absl::Duration left = until - MonotonicClock::Get().Now();
    if (left <= absl::ZeroDuration()) return made;
    absl::SleepFor(std::min(left, kRetry));
  }
}

absl::StatusOr<std::shared_ptr<DaemonLink>> DaemonConnector::Try(
    absl::Time until) {
  {
    MutexLock lock(&mutex_);
    if (trying_) {
      while (trying_) {
        const absl::Duration left = until - MonotonicClock::Get().Now();
        if (left <= absl::ZeroDuration()) break;
        tried_.WaitFor(&mutex_, left);
      }
      if (last_try_.ok()) return current_;
      return last_try_;
    }
    trying_ = true;
  }
  DropReplaced();
  absl::StatusOr<std::shared_ptr<DaemonLink>> made = Connect(until);
  {
    MutexLock lock(&mutex_);
    trying_ = false;
    last_try_ = made.status();
    if (made.ok()) {
      ReplaceLocked(*made);
      peer_ = current_->peer();
    }
  }
  tried_.NotifyAll();
  return made;
}

absl::StatusOr<std::shared_ptr<DaemonLink>> DaemonConnector::Connect(
    absl::Time until) const {
  absl::StatusOr<std::shared_ptr<DaemonLink>> made =
      DaemonLink::Connect(socket_path_, trusted_, until);
  const std::optional<uid_t> before = peer();
  if (!made.ok() || !before.has_value() || (*made)->peer() == *before) {
    return made;
  }
  return absl::PermissionDeniedError(
      absl::StrCat("uid ", (*made)->peer(), " listens on ", socket_path_,
                   ", where it was uid ", *before, " before: connect anew"));
}

std::shared_ptr<DaemonLink> DaemonConnector::Current() const {
  MutexLock lock(&mutex_);
  return current_;
}

void DaemonConnector::RecordLost(const std::shared_ptr<DaemonLink>& link) {
  MutexLock lock(&mutex_);
  if (current_ == link) ReplaceLocked(lost_);
}

void DaemonConnector::ReplaceLocked(std::shared_ptr<DaemonLink> link) {
  if (current_ != lost_) replaced_.push_back(std::move(current_));
  current_ = std::move(link);
}

void DaemonConnector::DropReplaced() {
  // Destroyed without the lock.
  std::vector<std::shared_ptr<DaemonLink>> unused;
  MutexLock lock(&mutex_);
  const auto first_unused =
      std::partition(replaced_.begin(), replaced_.end(),
                     [](const std::shared_ptr<DaemonLink>& link) {
                       return link.use_count() > 1;
                     });
  unused.assign(std::make_move_iterator(first_unused),
                std::make_move_iterator(replaced_.end()));
  replaced_.erase(first_unused, replaced_.end());
}

std::optional<uid_t> DaemonConnector::peer() const {
  MutexLock lock(&mutex_);
  return peer_;
}

absl::Status DaemonConnector::last_try() const {
  MutexLock lock(&mutex_);
  return last_try_;
}

}  // namespace warmpool
