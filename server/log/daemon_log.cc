#include "server/log/daemon_log.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "core/base/thread.h"
#include "spdlog/async_logger.h"
#include "spdlog/details/null_mutex.h"
#include "spdlog/details/thread_pool.h"
#include "spdlog/sinks/base_sink.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// More than a daemon logs at its start or end (kMostLeasesLogged); spdlog takes
// some hundred bytes for each ahead of need.
constexpr size_t kMostLinesWaiting = 1024;
// A logger whose lines are for the person who started the daemon.
constexpr char kFatal[] = "fatal";

// Whether all of it was written. Waits for the reader.
bool WriteAll(absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      // Another process has made the open file non-blocking for all that share
      // it.
      pollfd output{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      poll(&output, 1, /*timeout=*/-1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

std::string FatalLine(absl::string_view message) {
  return absl::StrCat("warmpoold: ", message, "\n");
}

// Writes to standard error. But for the counts, its methods are called by the
// log's thread alone.
class StderrSink final
    : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  // Lines that the queue dropped; set before the first line.
  void set_queue(spdlog::details::thread_pool* queue) { queue_ = queue; }

  uint64_t dropped() const {
    return queue_->overrun_counter() + failed_.load(std::memory_order_relaxed);
  }

  uint64_t flushes() {
    MutexLock lock(&flush_mutex_);
    return flushes_;
  }

  // Lines that were written or given up.
  uint64_t handled() const { return handled_.load(std::memory_order_relaxed); }

  // Until there were more than `flushes`.
  void AwaitFlush(uint64_t flushes, absl::Duration patience) {
    const Clock& clock = MonotonicClock::Get();
    const absl::Time deadline = clock.Now() + patience;
    MutexLock lock(&flush_mutex_);
    while (flushes_ <= flushes && clock.Now() < deadline) {
      flushed_.WaitFor(&flush_mutex_, deadline - clock.Now());
    }
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const bool written = TellOfDropped() && WriteAll(TextOf(message));
    if (!written) failed_.fetch_add(1, std::memory_order_relaxed);
    handled_.fetch_add(1, std::memory_order_relaxed);
  }

  void flush_() override {
    {
      MutexLock lock(&flush_mutex_);
      ++flushes_;
    }
    flushed_.NotifyAll();
  }

 private:
  std::string TextOf(const spdlog::details::log_msg& message) {
    if (message.logger_name == kFatal) {
      return FatalLine({message.payload.data(), message.payload.size()});
    }
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    return {line.data(), line.size()};
  }

  // False: it can't be written.
  bool TellOfDropped() {
    const uint64_t dropped = this->dropped();
    if (dropped == told_) return true;
    const std::string text =
        absl::StrCat("log lines dropped count=", dropped - told_);
    if (!WriteAll(TextOf({"", spdlog::level::warn, text}))) return false;
    told_ = dropped;
    return true;
  }

  spdlog::details::thread_pool* queue_ = nullptr;
  std::atomic<uint64_t> failed_ = 0;
  std::atomic<uint64_t> handled_ = 0;
  // Of the dropped lines, those that the log has told of.
  uint64_t told_ = 0;

  Mutex flush_mutex_;
  CondVar flushed_;
  uint64_t flushes_ ABSL_GUARDED_BY(flush_mutex_) = 0;
};

// Never destroyed: its end would wait for the reader.
struct Log {
  std::shared_ptr<StderrSink> sink = std::make_shared<StderrSink>();
  std::shared_ptr<spdlog::details::thread_pool> queue =
      std::make_shared<spdlog::details::thread_pool>(kMostLinesWaiting,
                                                     /*threads_n=*/1);
  std::shared_ptr<spdlog::logger> fatal = Logger(kFatal);

  std::shared_ptr<spdlog::logger> Logger(const char* name) {
    return std::make_shared<spdlog::async_logger>(
        name, sink, queue, spdlog::async_overflow_policy::overrun_oldest);
  }
};

std::atomic<Log*> the_log = nullptr;

// gRPC logs why it aborts, and aborts. Waits, without a lock, as long as lines
// are being written.
void OnAbort(int) {
  constexpr timespec kPause = {.tv_sec = 0, .tv_nsec = 20 * 1000 * 1000};
  constexpr int kMostPauses = 50;
  const StderrSink& sink = *the_log.load()->sink;
  uint64_t handled = sink.handled() + 1;
  for (int i = 0; i < kMostPauses && handled != sink.handled(); ++i) {
    handled = sink.handled();
    nanosleep(&kPause, nullptr);
  }
  signal(SIGABRT, SIG_DFL);
  raise(SIGABRT);
}

}  // namespace

absl::Status StartDaemonLog() {
  // spdlog throws where it gets no thread.
  RETURN_IF_ERROR(CheckThreads(1));
  const SignalsBlocked in_its_thread;
  Log* const log = new Log;
  log->sink->set_queue(log->queue.get());
  the_log = log;
  signal(SIGABRT, OnAbort);
  const std::shared_ptr<spdlog::logger> logger = log->Logger("warmpoold");
  logger->set_level(spdlog::get_level());
  spdlog::set_default_logger(logger);
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  return absl::OkStatus();
}

void FlushDaemonLog(absl::Duration patience) {
  Log* const log = the_log;
  if (log == nullptr) return;
  const uint64_t flushes = log->sink->flushes();
  log->fatal->flush();
  log->sink->AwaitFlush(flushes, patience);
}

void LogFatal(absl::string_view message) {
  if (Log* const log = the_log) {
    log->fatal->log(spdlog::level::critical, std::string(message));
  } else {
    WriteAll(FatalLine(message));
  }
}

uint64_t LogLinesDropped() {
  Log* const log = the_log;
  return log == nullptr ? 0 : log->sink->dropped();
}

}  // namespace warmpool
