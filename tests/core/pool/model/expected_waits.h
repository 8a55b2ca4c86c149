// ExpectedWaits: requests to attach that wait for their buffers, and which of
// them must have been woken.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_WAITS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_WAITS_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/book/attach_waits.h"
#include "core/lease/lease.h"

namespace warmpool {

class ExpectedWaits {
 public:
  struct Wait {
    enum class State { kWaiting, kWoken, kCancelled, kDropped };

    HolderId holder = 0;
    AttachRequest request;
    AttachWaits::Target target;
    absl::Time until;
    State state = State::kWaiting;
    // The request was made again.
    bool retried = false;
    // How often the pool called its wake function.
    int calls = 0;
  };

  // `on_wake` runs within each wake function.
  explicit ExpectedWaits(std::function<void()> on_wake)
      : on_wake_(std::move(on_wake)) {}

  // A wait that is not known here until it is added. It is its own WaitId.
  std::unique_ptr<Wait> Make(HolderId holder, const AttachRequest& request,
                             uid_t owner, absl::Time until) const;
  AttachWait ForPool(Wait* wait) const;
  void Add(std::unique_ptr<Wait> wait);

  // What wakes waits.
  void WakeFor(const std::string& name, uid_t owner, bool sealed);
  void WakeDue(absl::Time now);
  void WakeOf(HolderId holder);
  void WakeAll();
  // The pool is gone, and wakes nobody any more.
  void DropAll();

  size_t CountWaiting() const;
  size_t CountDue(absl::Time now) const;
  // InfiniteFuture if nothing waits.
  absl::Time NextDue() const;

  const std::vector<std::unique_ptr<Wait>>& waits() const { return waits_; }

  // Expects that each was woken once or, if nothing woke it, never.
  void Check() const;

 private:
  template <typename Predicate>
  void WakeWhere(Predicate predicate);

  const std::function<void()> on_wake_;
  // Those that are over stay, as the pool must not wake them again.
  std::vector<std::unique_ptr<Wait>> waits_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_WAITS_H_
