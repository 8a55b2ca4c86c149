// BufferEvents: publishes buffer lifecycle events.
//
// Whoever changes the lease table publishes the change in the same hold of the
// lock that guards the table, so that the events of a buffer come in the order
// of what happened to it. Publishing only fills queues. Watches that were out
// of events are woken by Wake, which the publisher calls under no lock.
//
// A watch has a queue of bounded length. Where its reader is slower than the
// events, all that is in it gives way to one kResync: from there on nothing is
// missing, and what was before is to be looked up in a list.
//
// Thread-safe.
// Invariants: a watch that was out of events is woken for the next one, once,
// and never by two threads at a time; no queue is longer than kMaxQueued.
#ifndef WARMPOOL_CORE_BOOK_BUFFER_EVENTS_H_
#define WARMPOOL_CORE_BOOK_BUFFER_EVENTS_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/mutex.h"

namespace warmpool {

class BufferEvents {
 public:
  // A pointer of each event; the event itself is shared by all queues.
  static constexpr size_t kMaxQueued = 1024;
  // Each looks at every event while the lease table's lock is held.
  static constexpr size_t kMaxWatchesPerUid = 256;

  enum class Kind {
    kCreated,
    kSealed,
    // The buffer is gone, and its name free.
    kEnded,
    // Events may be missing before this one. It is about no buffer.
    kResync,
  };

  struct Event {
    Kind kind = Kind::kResync;
    std::string name;
    // That owns the segment.
    uid_t uid = 0;
    uint64_t generation = 0;
    // Bytes asked for.
    uint64_t bytes = 0;
  };

  struct WatchOptions {
    // Whose watch it is: only buffers of this uid, unless `all_uids`.
    uid_t uid = 0;
    bool all_uids = false;
    // Only names that start so.
    std::string name_prefix = "";
    // Called under no lock, by whoever calls Wake, once there are events for a
    // watch whose Next gave none. Must be quick. May call Next, but not end its
    // watch.
    std::function<void()> wake = nullptr;
  };

  // Belongs to one reader.
  class Watch {
   public:
    // Waits for a call of `wake` that is under way; there is none afterwards.
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // The oldest event; the first of all is kResync. Null: there is none, and
    // `wake` will be called.
    std::shared_ptr<const Event> Next();

   private:
    friend class BufferEvents;
    Watch(BufferEvents* events, WatchOptions options);

    BufferEvents& events_;
    const WatchOptions options_;
  };

  BufferEvents() = default;
  // REQUIRES: no watch is left.
  ~BufferEvents();
  BufferEvents(const BufferEvents&) = delete;
  BufferEvents& operator=(const BufferEvents&) = delete;

  // RESOURCE_EXHAUSTED: the uid has kMaxWatchesPerUid.
  absl::StatusOr<std::unique_ptr<Watch>> StartWatch(WatchOptions options);

  // Costs a load while nobody watches. Wake is to be called afterwards.
  void Publish(Kind kind, absl::string_view name, uid_t uid,
               uint64_t generation, uint64_t bytes);
  // REQUIRES: the caller holds no lock that a `wake` may want.
  void Wake();

  void CheckInvariants() const;

 private:
  struct Queue {
    std::deque<std::shared_ptr<const Event>> events;
    // Next gave nothing, and nothing has come since.
    bool is_dry = false;
    // Something has come since, and its wake has not been called for it.
    bool is_due = false;
    // Its wake is being called.
    bool is_waking = false;
  };

  void EndWatch(Watch* watch);
  std::shared_ptr<const Event> NextFor(Watch* watch);
  static bool Wants(const WatchOptions& options, absl::string_view name,
                    uid_t uid);
  void PushLocked(Watch* watch, Queue* queue,
                  const std::shared_ptr<const Event>& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next to be woken, or null. EndWake follows.
  Watch* BeginWake();
  void EndWake(Watch* watch);

  // For the publishers: as many as there are queues. One that reads too few
  // comes before the lists that those who watch have yet to ask for.
  std::atomic<size_t> watches_ = 0;

  mutable Mutex mutex_;
  // Signalled when a wake has been called.
  CondVar woken_;
  absl::flat_hash_map<Watch*, Queue> queues_ ABSL_GUARDED_BY(mutex_);
  // Those that are due and not being woken, in the order of their events.
  std::deque<Watch*> to_wake_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uid_t, size_t> watches_of_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_BUFFER_EVENTS_H_
