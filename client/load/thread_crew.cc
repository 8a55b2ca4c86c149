#include "client/load/thread_crew.h"

#include <cstddef>

#include "absl/status/status.h"
#include "client/load/load_client.h"
#include "core/base/status_macros.h"

namespace warmpool {

ThreadCrew::ThreadCrew(const LoadOptions& options, const Clock* clock)
    : options_(options), clock_(*clock), stop_(clock) {}

absl::StatusOr<std::unique_ptr<ThreadCrew>> ThreadCrew::Make(
    const LoadOptions& options, const Clock* clock) {
  std::unique_ptr<ThreadCrew> crew(new ThreadCrew(options, clock));
  for (int i = 0; i < options.clients; ++i) {
    RETURN_IF_ERROR(crew->threads_.emplace_back().Prepare("client"));
  }
  for (int i = 0; i < options.clients; ++i) {
    crew->threads_[static_cast<size_t>(i)].Run(
        [raw = crew.get(), i] { raw->ClientMain(i); });
  }
  return crew;
}

ThreadCrew::~ThreadCrew() {
  Stop();
  Start();
  for (Thread& thread : threads_) thread.Join();
}

void ThreadCrew::ClientMain(int index) {
  LoadClient client(options_, index, &clock_);
  {
    MutexLock lock(&mutex_);
    ++ready_;
    changed_.NotifyAll();
    while (!started_) changed_.Wait(&mutex_);
  }
  const Measurement measured = client.Run(stop_, progress_);
  MutexLock lock(&mutex_);
  measured_.Merge(measured);
  ++done_;
  changed_.NotifyAll();
}

bool ThreadCrew::WaitForAll(const int* number, absl::Duration timeout) {
  MutexLock lock(&mutex_);
  if (*number < options_.clients) changed_.WaitFor(&mutex_, timeout);
  return *number == options_.clients;
}

bool ThreadCrew::WaitReady(absl::Duration timeout) {
  return WaitForAll(&ready_, timeout);
}

void ThreadCrew::Start() {
  MutexLock lock(&mutex_);
  started_ = true;
  changed_.NotifyAll();
}

bool ThreadCrew::WaitDone(absl::Duration timeout) {
  return WaitForAll(&done_, timeout);
}

Measurement ThreadCrew::Finish() {
  MutexLock lock(&mutex_);
  return measured_;
}

}  // namespace warmpool
