// The flags that the scenario handoff has for itself.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_FLAGS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_FLAGS_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/load_options.h"

namespace warmpool {

// Once flags are parsed. `load` has those that all scenarios share.
// INVALID_ARGUMENT: a number is out of its range, or the scenario has no use
// for what was asked for.
absl::StatusOr<HandoffOptions> HandoffFlags(const LoadOptions& load);

// INVALID_ARGUMENT: flags of the scenario handoff were given with another one.
absl::Status CheckNoHandoffFlags();

// Set in a process of a pair.
std::optional<HandoffRole> HandoffRoleFlag();

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_FLAGS_H_
