#include "server/scheduling/workers.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace warmpool {

absl::Status Workers::Start() {
  for (int i = 0; i < options_.threads; ++i) {
    const absl::Status started =
        threads_.emplace_back().Start("wpd-worker", [this] { Main(); });
    if (!started.ok()) return started;
  }
  return absl::OkStatus();
}

Workers::~Workers() { Stop(); }

absl::Status Workers::TryRun(uid_t uid, std::function<void()> work) {
  {
    MutexLock lock(&mutex_);
    const auto queue = queues_.find(uid);
    if (queue != queues_.end() &&
        queue->second.waiting.size() >= options_.max_waiting_per_uid) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "uid ", uid, " has ", queue->second.waiting.size(),
          " requests waiting for the daemon to get to them: wait for answers "
          "before asking for more"));
    }
  }
  Run(uid, std::move(work));
  return absl::OkStatus();
}

void Workers::Run(uid_t uid, std::function<void()> work) {
  bool stopping = false;
  {
    MutexLock lock(&mutex_);
    stopping = stopping_;
    if (!stopping) {
      Queue& queue = queues_[uid];
      queue.waiting.push_back(std::move(work));
      GiveTurnLocked(uid, &queue);
    }
  }
  if (stopping) {
    work();
  } else {
    // Without the lock, for which the thread that wakes would have to wait.
    changed_.NotifyOne();
  }
}

void Workers::GiveTurnLocked(uid_t uid, Queue* queue) {
  if (queue->in_turns || queue->waiting.empty() ||
      queue->running >= options_.threads_per_uid) {
    return;
  }
  queue->in_turns = true;
  turns_.push_back(uid);
}

void Workers::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (Thread& thread : threads_) thread.Join();
  threads_.clear();
}

std::function<void()> Workers::Next(uid_t* uid) {
  MutexLock lock(&mutex_);
  while (turns_.empty() && !stopping_) changed_.Wait(&mutex_);
  // What is left has a thread already, which comes back for it.
  if (turns_.empty()) return nullptr;
  *uid = turns_.front();
  turns_.pop_front();
  Queue& queue = queues_.at(*uid);
  queue.in_turns = false;
  std::function<void()> work = std::move(queue.waiting.front());
  queue.waiting.pop_front();
  ++queue.running;
  GiveTurnLocked(*uid, &queue);
  return work;
}

void Workers::Done(uid_t uid) {
  MutexLock lock(&mutex_);
  const auto queue = queues_.find(uid);
  --queue->second.running;
  GiveTurnLocked(uid, &queue->second);
  if (queue->second.running == 0 && queue->second.waiting.empty()) {
    queues_.erase(queue);
  }
}

void Workers::Main() {
  uid_t uid = 0;
  while (const std::function<void()> work = Next(&uid)) {
    work();
    Done(uid);
  }
}

}  // namespace warmpool
