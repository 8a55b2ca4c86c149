// Buffers and their holders, as `warmpool list` prints them.
#ifndef WARMPOOL_CLIENT_CLI_LISTING_H_
#define WARMPOOL_CLIENT_CLI_LISTING_H_

#include <string>
#include <vector>

#include "client/cli/output.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

cli::BufferListing MakeListing(const std::vector<v1::Buffer>& buffers);

// A table with a line for each lease, and one with a line for each channel if there
// are any.
std::string ListingText(const cli::BufferListing& listing);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_LISTING_H_
