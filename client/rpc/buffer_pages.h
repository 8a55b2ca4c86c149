// Lists of buffers, which the daemon gives page by page.
//
// A page is what the daemon looked at in one go, so it may have no buffer
// although others follow: only a page without a token is the last. A buffer may
// come again in the next page, with other leases.
//
// Functions without state: as thread-safe as what they are given.
#ifndef WARMPOOL_CLIENT_RPC_BUFFER_PAGES_H_
#define WARMPOOL_CLIENT_RPC_BUFFER_PAGES_H_

#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Asks for one page.
using AskForPage = absl::FunctionRef<absl::StatusOr<v1::ListBuffersResponse>(
    const v1::ListBuffersRequest& request)>;

// Calls `on_buffer` with each buffer of each page. Of `filter`, the paging
// fields are ignored. Errors are those of `ask`, and INTERNAL: a page leads
// back to itself.
absl::Status ForEachListed(v1::ListBuffersRequest filter, AskForPage ask,
                           absl::FunctionRef<void(v1::Buffer)> on_buffer);

// All of them, each once, with its leases of all pages, each once.
absl::StatusOr<std::vector<v1::Buffer>> ListAll(v1::ListBuffersRequest filter,
                                                AskForPage ask);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_BUFFER_PAGES_H_
