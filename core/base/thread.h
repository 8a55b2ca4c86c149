// Thread: a thread that may be refused. Where the system has no thread left,
// std::thread throws; this returns a Status that names the limit.
//
// A thread made here has a name and blocks every signal that is sent to the
// process. So a program that blocks signals in its own threads, and waits for
// them in sigtimedwait(2) or on one of its threads, keeps getting them whatever
// library it is linked with. Signals that a thread raises itself by a fault
// (SIGSEGV, SIGBUS and the like) stay as they are, for crash reporters.
//
// A thread can be prepared long before it is needed, so that everything that
// can fail is done first.
#ifndef WARMPOOL_CORE_BASE_THREAD_H_
#define WARMPOOL_CORE_BASE_THREAD_H_

#include <signal.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/status/status.h"

namespace warmpool {

// Blocks those signals in this thread, and so in all threads that are started
// from it, until it is destroyed. For calls that start threads and return soon:
// a signal that comes meanwhile waits.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// Externally synchronised. It can be moved while it runs.
class Thread {
 public:
  Thread() = default;
  // Joins.
  ~Thread() { Join(); }
  Thread(Thread&& other) noexcept { *this = std::move(other); }
  // REQUIRES: this is empty.
  Thread& operator=(Thread&& other) noexcept;

  // Makes the thread, which sleeps until Run. `name` has up to 15 bytes.
  // RESOURCE_EXHAUSTED: there is none to be had; the message names the limit
  // and the remedy. Does nothing if it was prepared before.
  absl::Status Prepare(const char* name);
  // Calls `main` on the thread. REQUIRES: prepared, and neither run nor joined.
  void Run(std::function<void()> main);
  // Both.
  absl::Status Start(const char* name, std::function<void()> main);

  // Whether it was run and is to be joined.
  bool running() const { return running_; }

  // Returns once `main` has. One that was prepared only ends without.
  void Join();

 private:
  // What the two threads share.
  struct Handover;

  std::shared_ptr<Handover> handover_;
  std::thread thread_;
  bool running_ = false;
};

// OK if the system would give `threads` more at this moment, else as Prepare.
// For libraries that abort, or wait for ever, where they get none.
absl::Status CheckThreads(int threads);

// Whether this process, or one that it was forked from, was ever refused a
// thread by Prepare. So a library that starts threads may have been refused
// one.
bool ThreadWasRefused();

// Calls `work` on a thread of its own and waits for it: for calls into
// libraries that may start threads and may take long. Errors as of Prepare;
// `work` was not called then.
absl::Status RunOnThread(const char* name, const std::function<void()>& work);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_THREAD_H_
