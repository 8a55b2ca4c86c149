#include "core/book/buffer_events.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

const std::shared_ptr<const BufferEvents::Event>& Resync() {
  static const auto* const resync =
      new std::shared_ptr<const BufferEvents::Event>(
          std::make_shared<BufferEvents::Event>());
  return *resync;
}

}  // namespace

BufferEvents::Watch::Watch(BufferEvents* events, WatchOptions options)
    : events_(*events), options_(std::move(options)) {}

BufferEvents::Watch::~Watch() { events_.EndWatch(this); }

std::shared_ptr<const BufferEvents::Event> BufferEvents::Watch::Next() {
  return events_.NextFor(this);
}

BufferEvents::~BufferEvents() {
  MutexLock lock(&mutex_);
  WARMPOOL_CHECK(queues_.empty(), "a watch is left");
}

absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> BufferEvents::StartWatch(
    WatchOptions options) {
  MutexLock lock(&mutex_);
  size_t& of_uid = watches_of_[options.uid];
  if (of_uid >= kMaxWatchesPerUid) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "uid ", options.uid, " watches buffers ", of_uid,
        " times already, the most that it may: end one of these, or watch a "
        "shorter prefix instead of several"));
  }
  ++of_uid;
  ++watches_;
  std::unique_ptr<Watch> watch(new Watch(this, std::move(options)));
  queues_[watch.get()].events.push_back(Resync());
  return watch;
}

void BufferEvents::EndWatch(Watch* watch) {
  MutexLock lock(&mutex_);
  while (queues_.at(watch).is_waking) woken_.Wait(&mutex_);
  to_wake_.erase(std::remove(to_wake_.begin(), to_wake_.end(), watch),
                 to_wake_.end());
  queues_.erase(watch);
  --watches_;
  const auto of_uid = watches_of_.find(watch->options_.uid);
  if (--of_uid->second == 0) watches_of_.erase(of_uid);
}

std::shared_ptr<const BufferEvents::Event> BufferEvents::NextFor(Watch* watch) {
  MutexLock lock(&mutex_);
  Queue& queue = queues_.at(watch);
  if (queue.events.empty()) {
    queue.is_dry = !queue.is_due;
    return nullptr;
  }
  std::shared_ptr<const Event> event = std::move(queue.events.front());
  queue.events.pop_front();
  return event;
}

bool BufferEvents::Wants(const WatchOptions& options, absl::string_view name,
                         uid_t uid) {
  return (options.all_uids || options.uid == uid) &&
         absl::StartsWith(name, options.name_prefix);
}

void BufferEvents::Publish(Kind kind, absl::string_view name, uid_t uid,
                           uint64_t generation, uint64_t bytes) {
  if (watches_ == 0) return;
  std::shared_ptr<const Event> event;
  MutexLock lock(&mutex_);
  for (auto& [watch, queue] : queues_) {
    if (!Wants(watch->options_, name, uid)) continue;
    if (event == nullptr) {
      event = std::make_shared<const Event>(
          Event{kind, std::string(name), uid, generation, bytes});
    }
    PushLocked(watch, &queue, event);
  }
}

void BufferEvents::PushLocked(Watch* watch, Queue* queue,
                              const std::shared_ptr<const Event>& event) {
  if (queue->events.size() < kMaxQueued) {
    queue->events.push_back(event);
  } else {
    queue->events.clear();
    queue->events.push_back(Resync());
  }
  if (!std::exchange(queue->is_dry, false)) return;
  queue->is_due = true;
  if (!queue->is_waking) to_wake_.push_back(watch);
}

void BufferEvents::Wake() {
  if (watches_ == 0) return;
  while (Watch* const watch = BeginWake()) {
    watch->options_.wake();
    EndWake(watch);
  }
}

BufferEvents::Watch* BufferEvents::BeginWake() {
  MutexLock lock(&mutex_);
  if (to_wake_.empty()) return nullptr;
  Watch* const watch = to_wake_.front();
  to_wake_.pop_front();
  Queue& queue = queues_.at(watch);
  queue.is_due = false;
  queue.is_waking = true;
  return watch;
}

void BufferEvents::EndWake(Watch* watch) {
  {
    MutexLock lock(&mutex_);
    Queue& queue = queues_.at(watch);
    queue.is_waking = false;
    if (queue.is_due) to_wake_.push_back(watch);
  }
  woken_.NotifyAll();
}

void BufferEvents::CheckInvariants() const {
  MutexLock lock(&mutex_);
  size_t to_wake = 0;
  absl::flat_hash_map<uid_t, size_t> watches_of;
  for (const auto& [watch, queue] : queues_) {
    ++watches_of[watch->options_.uid];
    WARMPOOL_CHECK(queue.events.size() <= kMaxQueued, "a queue is too long");
    WARMPOOL_CHECK(!queue.is_dry || queue.events.empty(),
                   "a watch is not told of its events");
    WARMPOOL_CHECK(!queue.is_dry || !queue.is_due, "a watch is woken for none");
    if (!queue.is_due || queue.is_waking) continue;
    ++to_wake;
    WARMPOOL_CHECK(std::count(to_wake_.begin(), to_wake_.end(), watch) == 1,
                   "a watch that is due is not to be woken");
  }
  WARMPOOL_CHECK(to_wake == to_wake_.size(), "watches to wake do not add up");
  WARMPOOL_CHECK(watches_ == queues_.size(), "watches do not add up");
  WARMPOOL_CHECK(watches_of == watches_of_, "watches of uids do not add up");
}

}  // namespace warmpool
