// HttpServer: what the daemon shows over HTTP: /metrics for Prometheus,
// /healthz and /readyz, the status page at / and what that asks for,
// /status.json.
//
// It only reads. Any local user can read a TCP port, so what it is given to
// show has to be fit for that.
#ifndef WARMPOOL_SERVER_HTTP_HTTP_SERVER_H_
#define WARMPOOL_SERVER_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "server/http/http_address.h"
#include "server/http/status.pb.h"

namespace warmpool {

// Thread-safe.
class HttpServer {
 public:
  struct Hooks {
    // What to show. Called by the server's one thread, as is the next.
    std::function<http::Status()> status;
    // Whether leases are granted.
    std::function<bool()> ready;
  };

  // Listens, and serves on a thread of its own from before this returns. Errors
  // name the address.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const HttpAddress& address, Hooks hooks);
  virtual ~HttpServer() = default;

  // With the port that was found.
  virtual const HttpAddress& address() const = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_HTTP_SERVER_H_
