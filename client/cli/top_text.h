// A look at the daemon, as `warmpool top` shows it.
#ifndef WARMPOOL_CLIENT_CLI_TOP_TEXT_H_
#define WARMPOOL_CLIENT_CLI_TOP_TEXT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "client/cli/output.pb.h"

namespace warmpool {

enum class HolderOrder {
  kBytes,
  kLeases,
  kIdle,
  kPid,
  kCommand,
};

// nullopt: no order is named so.
std::optional<HolderOrder> HolderOrderNamed(absl::string_view name);

// What is the largest comes first, pids and commands in their order.
void SortHolders(HolderOrder order, cli::TopFrame* frame);

// What there is now, and rates since the frame before (null: none; of the same
// daemon). Lines are cut to `columns`, and at `rows` there are no more holders.
std::string TopText(const cli::TopFrame& frame, const cli::TopFrame* before,
                    size_t columns, size_t rows);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_TOP_TEXT_H_
