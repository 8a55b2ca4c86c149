#include "client/load/thread_crew.h"

#include "client/load/load_client.h"

namespace warmpool {

ThreadCrew::ThreadCrew(const LoadOptions& options, const Clock* clock)
    : options_(options), clock_(*clock), stop_(clock) {
  for (int i = 0; i < options.clients; ++i) {
    threads_.emplace_back([this, i] { ClientMain(i); });
  }
}

ThreadCrew::~ThreadCrew() {
  Stop();
  Start();
  for (std::thread& thread : threads_) thread.join();
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
