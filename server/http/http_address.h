// HttpAddress: where the status page and the metrics are served.
#ifndef WARMPOOL_SERVER_HTTP_HTTP_ADDRESS_H_
#define WARMPOOL_SERVER_HTTP_HTTP_ADDRESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// Where to listen: "127.0.0.1:9464", "[::1]:9464", "localhost:9464".
struct HttpAddress {
  std::string host;
  // 0: any that is free.
  int port = 0;

  // INVALID_ARGUMENT, naming the text.
  static absl::StatusOr<HttpAddress> Parse(absl::string_view text);
  std::string ToString() const;
  // Only this machine can connect.
  bool is_loopback() const;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_HTTP_ADDRESS_H_
