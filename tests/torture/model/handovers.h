// Model::HandOvers: what is known of sealed buffers and of tickets.
//
// Once a seal was acknowledged, whoever asks may attach for reading, and nobody
// for writing, until the buffer's sealer has let go of it and its linger is
// over. A ticket that was acknowledged may be claimed once, until its time to
// live is over, and nobody has its buffer meanwhile. What was asked for without
// an answer may have been done or not.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_HANDOVERS_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_HANDOVERS_H_

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "tests/torture/model/model.h"
#include "tests/torture/model/snapshot.h"

namespace warmpool::torture {

class Model::HandOvers {
 public:
  explicit HandOvers(Model* model) : model_(*model) {}

  // About to attach, to seal, to make a ticket or to claim.
  Verdict OnAsking(int client, const Report& report);
  // Sealed, or a ticket.
  Verdict OnDone(int client, const Report& report);
  // A lease of any kind is granted.
  Verdict OnGranted(int client, const Request& request, const Report& report);
  void OnRefused(int client, const Request& request, const Report& report);
  // Whether a refusal is this object's to judge; if so, what is wrong with it.
  static bool Judges(const Request& request, const Report& report);
  Verdict JudgeRefused(int client, const Request& request,
                       const Report& report);
  // A seal or ticket without an answer.
  void OnUnsure(const Request& request, const Report& report);
  // Its client is about to let go of `lease`, and has.
  void OnEnding(const RandomId& id, const Lease& lease, absl::Time now);
  void OnGone(const RandomId& id, absl::Time now);
  // To be called before the model forgets its leases.
  void OnClientDied(int client, absl::Time now);

  // What keeps pages with the stamps of `stamper` at `now`, whoever had them.
  Verdict WhoKeeps(const RandomId& stamper, absl::Time now) const;

  std::vector<Problem> Problems(const std::vector<Snapshot::Lease>& listed,
                                absl::Time now) const;

  // As the model's, but for buffers of the generations in `listed`;
  // model_prune.cc.
  void Prune(const absl::flat_hash_set<uint64_t>& listed, absl::Time now);
  size_t remembered() const;

 private:
  struct Seal {
    uint64_t generation = 0;
    absl::Duration linger = {};
    // When it was acknowledged.
    std::optional<absl::Time> sealed = {};
    // When its sealer began to let go of it, and when it had.
    std::optional<absl::Time> ending = {};
    std::optional<absl::Time> gone = {};
    // Its sealer's lease may have expired before.
    bool may_have_expired = false;
    absl::Time last_sign = {};
  };

  struct Ticket {
    int giver = 0;
    uint64_t generation = 0;
    uint64_t bytes = 0;
    uint64_t inode = 0;
    absl::Duration ttl = {};
    absl::Time asked = {};
    bool made = false;
    // When it was made, or was known not to be answered.
    std::optional<absl::Time> answered = {};
    // A forked child of the giver may have it mapped.
    bool forked = false;
    // Requests, by client and number, that may have claimed it: they are under
    // way, or got no answer.
    std::set<std::pair<int, uint64_t>> open_claims = {};
    // When the last answer came that did not give it.
    absl::Time last_refusal = absl::InfinitePast();
    RandomId claimed_by = {};
    absl::Time last_sign = {};
  };

  Verdict JudgeClaim(int client, const Request& request, const Report& report);
  Verdict JudgeRead(const Request& request, const Report& report) const;
  Verdict OnClaimed(int client, const Request& request, const Report& report);
  // Until when a sealed buffer must be there, once its sealer is to go.
  static absl::Time KeptUntil(const Seal& seal);
  // Whether nobody can have claimed it, and it can't have expired.
  static bool MustBeThere(const Ticket& ticket, absl::Time now);
  Verdict WrongTicket(const Snapshot::Lease& listed, absl::Time now) const;
  Verdict WrongLingering(const Snapshot::Lease& listed, absl::Time now) const;

  Model& model_;
  // Both by the lease that was sealed or given, which is the stamper.
  absl::flat_hash_map<RandomId, Seal> seals_;
  absl::flat_hash_map<RandomId, Ticket> tickets_;
  // Those of both, by generation.
  absl::flat_hash_map<uint64_t, RandomId> by_generation_;
  // Stampers whose buffers others asked to attach to for writing, and when.
  absl::flat_hash_map<RandomId, absl::Time> shared_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_HANDOVERS_H_
