// MemoryPressure: has the pool give back what no lease needs when the machine,
// or a control group that the daemon is in, is short of memory.
//
// The kernel tells where it can (PressureWatch). Where it can't, and in a group
// with a limit, which may kill before any task has waited, the room that is
// left is looked at, once a second, while there is anything to give back: an
// idle daemon uses no CPU.
#ifndef WARMPOOL_SERVER_PRESSURE_MEMORY_PRESSURE_H_
#define WARMPOOL_SERVER_PRESSURE_MEMORY_PRESSURE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/memory/cgroup/memory_limit.h"
#include "server/log/log_limit.h"
#include "server/pressure/pressure_watch.h"

namespace warmpool {

// Thread-safe once it was started.
class MemoryPressure {
 public:
  static constexpr absl::Duration kLookEvery = absl::Seconds(1);

  struct Hooks {
    // Ends what no lease needs, and returns how many bytes that were. Called by
    // several threads, never by one that serves.
    std::function<uint64_t()> shed;
    // Bytes that it would end.
    std::function<uint64_t()> kept_bytes;
  };

  struct Counts {
    // Or by the room that is left.
    bool told_by_kernel = false;
    // Times that something was shed, and the bytes.
    uint64_t events = 0;
    uint64_t ended_bytes = 0;
  };

  // What is pointed to must outlive this. `root` stands before /proc.
  MemoryPressure(const MemoryLimit* limit, const Clock* clock, Hooks hooks,
                 std::string root = "");
  ~MemoryPressure() { Stop(); }

  // Says in the log who tells.
  void Start();
  // No hook is called from here on by the kernel's word.
  void Stop() { watch_.Stop(); }

  // Looks at the room, if that is due. Returns when to come back:
  // InfiniteFuture, if not before something is kept. By one thread.
  absl::Time Poll();

  Counts counts() const;

 private:
  // Why there is too little room; OK: there is enough.
  absl::Status CheckRoom() const;
  void Relieve(absl::string_view why);

  const MemoryLimit& limit_;
  const Clock& clock_;
  const Hooks hooks_;
  const std::string root_;
  LogLimit log_;
  std::atomic<bool> told_by_kernel_ = false;
  std::atomic<uint64_t> events_ = 0;
  std::atomic<uint64_t> ended_bytes_ = 0;
  absl::Time next_look_ = absl::InfinitePast();
  PressureWatch watch_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_PRESSURE_MEMORY_PRESSURE_H_
