// The daemon's status page and metrics: what they show, and where.
#ifndef WARMPOOL_SERVER_STATUS_PAGE_H_
#define WARMPOOL_SERVER_STATUS_PAGE_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "core/pool/pool.h"
#include "server/http/http_address.h"
#include "server/http/http_server.h"
#include "server/stats/stats.h"

namespace warmpool {

struct StatusPageOptions {
  HttpAddress listen;
  // Whether it tells who holds what, to whoever can connect.
  bool shows_holders = false;
  // Whether the daemon serves. Called by the server's thread.
  std::function<bool()> ready;
};

// Starts to serve, and logs where. What is pointed to must outlive the server.
// Errors name the address.
absl::StatusOr<std::unique_ptr<HttpServer>> StartStatusPage(
    const StatusPageOptions& options, StatsSource* stats, const Pool* pool);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATUS_PAGE_H_
