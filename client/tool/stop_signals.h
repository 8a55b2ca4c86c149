// StopSignals: SIGINT and SIGTERM, as a descriptor to poll.
#ifndef WARMPOOL_CLIENT_TOOL_STOP_SIGNALS_H_
#define WARMPOOL_CLIENT_TOOL_STOP_SIGNALS_H_

namespace warmpool {

// One in a process, made before its other threads: the signals are blocked in
// the thread that makes it and in those that it starts.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  // Readable when a signal has come.
  int fd() const { return fd_; }

  // Whether one has come. If so, the next one ends the process: whoever stops
  // may take longer than the user is patient.
  bool Arrived();

 private:
  const int fd_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_STOP_SIGNALS_H_
