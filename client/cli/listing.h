// Buffers and their holders, as `warmpool list` prints them.
#ifndef WARMPOOL_CLIENT_CLI_LISTING_H_
#define WARMPOOL_CLIENT_CLI_LISTING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/output.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

cli::BufferListing MakeListing(const std::vector<v1::Buffer>& buffers);

// In which order buffers are told; each ends in that of their names.
enum class BufferOrder {
  kName,
  // The largest first, the oldest, the one that more have a lease on.
  kSize,
  kAge,
  kAttached,
  // By their first holders.
  kPid,
  // Those whose leases end soonest; last those that last as long as a process.
  kTtl,
};

// nullopt: no order is named so.
std::optional<BufferOrder> BufferOrderNamed(absl::string_view name);

void SortBuffers(BufferOrder order, cli::BufferListing* listing);

// A table with a line for each lease, and one with a line for each channel if
// there are any.
std::string ListingText(const cli::BufferListing& listing);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_LISTING_H_
