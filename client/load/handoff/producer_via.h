// ProducerVia: the producer's side of one way to hand bytes over. The
// consumer's is in ConsumerService, which speaks all of them.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_VIA_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_VIA_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/load/handoff/handoff.pb.h"

namespace warmpool {

struct HandedOver {
  load::HandoffReceipt receipt;
  // What a message of the users' own took on its way, where it is not to count
  // as a part of the hand-over.
  absl::Duration message;
};

// Belongs to one thread. In a turn, for each round: Get, HandOver, GiveBack. Of
// an error nothing follows but the destructor.
class ProducerVia {
 public:
  virtual ~ProducerVia() = default;

  // Rounds are counted up by one within a turn.
  virtual absl::Status BeginTurn(uint64_t first_round) = 0;
  // `round`: the one that would be next.
  virtual absl::Status EndTurn(uint64_t round) = 0;

  // Memory to write to, as many bytes as were asked for.
  virtual absl::StatusOr<std::span<std::byte>> Get(uint64_t round) = 0;
  // Returns once the consumer has read the bytes and given them back.
  virtual absl::StatusOr<HandedOver> HandOver(uint64_t round) = 0;
  // The producer's part of it.
  virtual absl::Status GiveBack() = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_PRODUCER_VIA_H_
