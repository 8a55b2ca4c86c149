// PoolTarget: what the load generator leases from: a daemon, through the
// client library.
#ifndef WARMPOOL_CLIENT_LOAD_POOL_TARGET_H_
#define WARMPOOL_CLIENT_LOAD_POOL_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/load/driver.h"
#include "warmpool/warmpool.h"

namespace warmpool {

// What the first touch of a buffer writes.
enum class TouchMode {
  kNone,
  // 8 bytes in each page of 4 KiB.
  kPages,
  // Every byte.
  kAll,
};

// "none", "pages" or "all"; found by absl's flags through the namespace.
bool AbslParseFlag(absl::string_view text, TouchMode* mode, std::string* error);
std::string AbslUnparseFlag(TouchMode mode);

// Not thread-safe.
class PoolTarget final : public LoadTarget {
 public:
  PoolTarget(Client client, TouchMode touch, size_t slots)
      : client_(std::move(client)), touch_(touch), buffers_(slots) {}

  absl::StatusOr<LoadWarmth> Lease(size_t slot, uint64_t bytes) override;
  bool Touch(size_t slot) override;
  bool Holds(size_t slot) const override { return buffers_[slot].valid(); }
  absl::Status Release(size_t slot) override;

 private:
  Client client_;
  const TouchMode touch_;
  std::vector<Buffer> buffers_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_POOL_TARGET_H_
