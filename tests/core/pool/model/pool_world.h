// PoolWorld: a Pool with all that surrounds it in a model's run: chance, time,
// system calls that fail, a directory, and client processes.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_WORLD_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <random>
#include <vector>

#include "core/base/byte_size.h"
#include "core/memory/directory/segment_directory.h"
#include "core/pool/pool.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/core/pool/model/client_files.h"

namespace warmpool {

struct PoolWorld {
  static constexpr uint64_t kCapacity = kMiB;
  static constexpr size_t kMaxBytes = 512 * kKiB;

  explicit PoolWorld(uint64_t seed);

  uint64_t Random(uint64_t bound) { return random() % bound; }
  bool Chance(int percent) { return Random(100) < uint64_t(percent); }
  template <typename Container>
  auto RandomIn(Container& container) {
    return std::next(container.begin(), Random(container.size()));
  }
  // Short ones mostly, so that buffers do not pile up.
  absl::Duration RandomPause() { return absl::Milliseconds(1 << Random(13)); }
  RequestedTtl RandomTtl();
  // What is granted for it.
  absl::Duration GrantedTtl(RequestedTtl requested) const;

  // Some of the next system calls fail.
  void InjectFaults();
  // Another thread does what the pool wanted done later.
  void RunLater();
  // Events since the last call, all of them. Expects the watch to have been
  // woken for them.
  std::vector<BufferEvents::Event> TakeEvents();

  std::mt19937_64 random;
  ScratchDirectory scratch;
  FaultySystemCalls calls;
  FakeClock clock;
  SeededRandom ids;
  ClientFiles files;
  // Whether clients take pages away; what files take is then no longer what
  // they were made with.
  const bool tampers;
  const size_t max_open_segments;
  std::unique_ptr<SegmentDirectory> directory;
  Pool::Options options;
  std::unique_ptr<Pool> pool;

  // What the pool told.
  std::vector<RevokedLease> revoked;
  std::vector<absl::Status> refused;
  std::vector<std::function<void()>> later;
  // When the pool is to be ticked: what Tick said, or earlier.
  absl::Time next_tick = absl::InfiniteFuture();
  bool is_due_earlier = false;
  // Of all buffers.
  std::unique_ptr<BufferEvents::Watch> watch;
  bool watch_was_woken = false;

 private:
  Pool::Options RandomOptions();
  void StartPool();
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_POOL_WORLD_H_
