// Attacker: what an attack has at hand. Not thread-safe, but for its counts,
// which an attack's own threads may add to.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKER_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKER_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/server/raw_client.h"

namespace warmpool::torture {

class Attacker {
 public:
  struct Options {
    std::string target = {};
    uint64_t seed = 0;
    // Bytes that its uid may lease.
    uint64_t limit_bytes = 0;
    // A directory of its uid's, on the filesystem of the segments.
    std::string directory = {};
    // Another uid, which shares nothing with this.
    uid_t other_uid = 0;
    // Files of leases that the other holds all the while.
    std::vector<std::string> files_of_others = {};
  };

  explicit Attacker(Options options);

  const Options& options() const { return options_; }
  std::mt19937_64& random() { return random_; }
  // 0 to `count` - 1.
  size_t Draw(size_t count) { return random_() % count; }
  bool Chance(int percent) { return Draw(100) < static_cast<size_t>(percent); }

  // An attack lasts until then. Calls have no later deadline.
  void LastFor(absl::Duration span);
  bool Over() const;
  void SetDeadline(grpc::ClientContext* context) const;

  // A connection of its own, which ends with it.
  testing::RawClient Connect(grpc::ChannelArguments arguments = {}) const {
    return testing::RawClient(options_.target, std::move(arguments));
  }
  // As RawClient::Call, by this attack's deadline; counts.
  template <typename Request, typename Response>
  grpc::Status Call(testing::RawClient* client,
                    grpc::Status (testing::RawClient::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(&context);
    const grpc::Status status =
        (client->stub().*method)(&context, request, response);
    Count(status.ok() ? 0 : 1);
    return status;
  }
  // The lease, if it is granted; counts.
  std::optional<v1::GrantedLease> Lease(testing::RawClient* client,
                                        const v1::LeaseRequest& request);

  // One request more, and so many refusals in it.
  void Count(uint64_t refusals, uint64_t requests = 1);
  uint64_t requests() const { return requests_; }
  uint64_t refusals() const { return refusals_; }

  // The daemon let it do what it must not: a sentence. The first is kept.
  void FoundBreach(absl::string_view what);
  const std::string& breach() const { return breach_; }

 private:
  const Options options_;
  std::mt19937_64 random_;
  absl::Time until_ = absl::InfiniteFuture();
  std::atomic<uint64_t> requests_ = 0;
  std::atomic<uint64_t> refusals_ = 0;
  std::string breach_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKER_H_
