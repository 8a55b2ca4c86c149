// BufferEvents: publishes buffer lifecycle events.
//
// A change of the lease table and its event happen under one hold of the
// table's lock, so that the events of a buffer are in the order of its changes.
// Publishing only fills queues. The publisher then calls Wake, without the
// lock, to wake the watches whose queues were empty.
//
// Each watch has a queue of bounded length. If the reader is too slow, one
// kResync replaces all events in the queue. No event after kResync is missing;
// the reader gets the earlier state from a list.
//
// Thread-safe. Invariants: a watch with an empty queue is woken once for its
// next event, and never by two threads at a time; no queue is longer than
// kMaxQueued.
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
  // A queue holds pointers; all queues share the event itself.
  static constexpr size_t kMaxQueued = 1024;
  // Every watch examines every event while the lease table's lock is held.
  static constexpr size_t kMaxWatchesPerUid = 256;

  enum class Kind {
    kCreated,
    kSealed,
    // The buffer is gone, and its name is free.
    kEnded,
    // Events before this one may be missing. It belongs to no buffer.
    kResync,
  };

  struct Event {
    Kind kind = Kind::kResync;
    std::string name;
    // The uid that owns the segment.
    uid_t uid = 0;
    uint64_t generation = 0;
    // Requested bytes.
    uint64_t bytes = 0;
  };

  struct WatchOptions {
    // The watch's owner. It sees only buffers of this uid, unless `all_uids`.
    uid_t uid = 0;
    bool all_uids = false;
    // Only names with this prefix.
    std::string name_prefix = "";
    // Called by Wake, with no lock held, when a watch whose Next returned null
    // has events. Must be quick. May call Next, but must not end its watch.
    std::function<void()> wake = nullptr;
  };

  // Used by one reader.
  class Watch {
   public:
    // Waits for a running call of `wake`; no call follows.
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // The oldest event; the first one of a watch is kResync. Null: the queue is
    // empty; `wake` will be called for the next event.
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

  // Costs one atomic load if there are no watches. Call Wake afterwards.
  void Publish(Kind kind, absl::string_view name, uid_t uid,
               uint64_t generation, uint64_t bytes);
  // REQUIRES: the caller holds no lock that a `wake` function takes.
  void Wake();

  void CheckInvariants() const;

 private:
  struct Queue {
    std::deque<std::shared_ptr<const Event>> events;
    // Next returned null, and no event has arrived since.
    bool is_dry = false;
    // An event has arrived, and `wake` has not been called for it.
    bool is_due = false;
    // `wake` is running.
    bool is_waking = false;
  };

  void EndWatch(Watch* watch);
  std::shared_ptr<const Event> NextFor(Watch* watch);
  static bool Wants(const WatchOptions& options, absl::string_view name,
                    uid_t uid);
  void PushLocked(Watch* watch, Queue* queue,
                  const std::shared_ptr<const Event>& event)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The next watch to wake, or null. The caller calls EndWake afterwards.
  Watch* BeginWake();
  void EndWake(Watch* watch);

  // The number of queues, for publishers. A publisher that reads an old, lower
  // number misses no reader: the reader asks for its list later.
  std::atomic<size_t> watches_ = 0;

  mutable Mutex mutex_;
  // Signalled after each call of a wake function.
  CondVar woken_;
  absl::flat_hash_map<Watch*, Queue> queues_ ABSL_GUARDED_BY(mutex_);
  // Watches that are due and not being woken, in the order of their events.
  std::deque<Watch*> to_wake_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uid_t, size_t> watches_of_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_BUFFER_EVENTS_H_
