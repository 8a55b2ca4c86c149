// What a run of the scenario handoff is to do.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_OPTIONS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "client/load/handoff/via.h"

namespace warmpool {

struct HandoffOptions {
  // "unix:PATH" of the daemon.
  std::string target;
  // Of every call.
  absl::Duration deadline = absl::Seconds(10);
  bool lease_cache = false;
  absl::Duration busy_poll = absl::ZeroDuration();

  Vias vias;
  // Each a producer and a consumer, processes of their own.
  int pairs = 1;
  // Of each buffer; whole pages of 4 KiB.
  uint64_t bytes = 0;
  // Of each pair and via; nullopt: no limit.
  std::optional<uint64_t> rounds;
  // Of the run.
  absl::Duration duration = absl::InfiniteDuration();
  uint64_t seed = 1;
  // Its producers spoil a byte in this round, so that a test sees it found.
  std::optional<uint64_t> spoiled_round;
};

// The flag by which the load generator starts itself as a process of a pair;
// its value is a HandoffRole.
inline constexpr char kHandoffRoleFlag[] = "handoff_role";

// What a process of the run is.
struct HandoffRole {
  bool is_producer = false;
  // 0 <= pair < HandoffOptions::pairs.
  int pair = 0;
  // The run's own, for sockets.
  std::string directory;
};

// As the value of a flag: "producer:3:/tmp/x".
bool AbslParseFlag(absl::string_view text, HandoffRole* role,
                   std::string* error);
std::string AbslUnparseFlag(const HandoffRole& role);

// Where the consumer of a pair listens.
std::string SocketPathOf(const HandoffRole& role);

// "loadgen-handoff-Xyz123/0": what the pair calls its own in the pool: the
// run's directory, which no other run has, and the pair.
std::string PoolNameOf(const HandoffRole& role);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_OPTIONS_H_
