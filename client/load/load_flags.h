// The flags of the load generator.
#ifndef WARMPOOL_CLIENT_LOAD_LOAD_FLAGS_H_
#define WARMPOOL_CLIENT_LOAD_LOAD_FLAGS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/load_options.h"

namespace warmpool {

// The flag by which the load generator starts itself as a client process; its
// value is the number of the client.
inline constexpr char kClientProcessFlag[] = "client_process";

struct LoadFlags {
  LoadOptions options;
  // Set in a client process.
  std::optional<int> client_process;
  // In place of `options`, for the scenario handoff.
  std::optional<HandoffOptions> handoff;
  // Set in a process of a pair.
  std::optional<HandoffRole> handoff_role;
};

// Exits with 0 after printing what --help asks for, with 1 on an unknown flag
// or a value that does not parse. INVALID_ARGUMENT: flags that don't fit
// together.
absl::StatusOr<LoadFlags> ParseLoadFlags(int argc, char** argv);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_LOAD_FLAGS_H_
