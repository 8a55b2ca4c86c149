// Model::Comparison: one snapshot held against the model.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_COMPARISON_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_COMPARISON_H_

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

// For one use: the checks, then problems().
class Model::Comparison {
 public:
  Comparison(const Model& model, const Snapshot& snapshot, absl::Time now)
      : model_(model), snapshot_(snapshot), now_(now) {}

  // Whatever the daemon lists is a lease that a live client knows or may have.
  void CheckListed();
  // Whatever a live client holds is listed, and its file is there.
  void CheckHeld();
  // The account's parts add up, to what is listed and to the directory.
  void CheckAccount();
  // Tickets and what lingers: each listed is known, and each that must be there
  // is listed. Nobody has a lease on what a ticket is for.
  void CheckHandedOver();
  // What is mapped without a lease is quarantined, and nothing else is.
  void CheckQuarantine();

  std::vector<Problem> problems() && { return std::move(problems_); }

 private:
  using Listed = Snapshot::Lease;

  void CheckKnown(const Listed& listed, const Lease& lease);
  void CheckUnknown(const Listed& listed);
  // Whether a request of `client` that got no answer could have been granted
  // this. Each can have been granted one lease only.
  bool WasAskedFor(int client, const Listed& listed);
  uint64_t BytesOf(uint64_t inode) const;
  // `key` is a lease's id or names a check.
  template <typename... Parts>
  void Add(const std::string& key, const Parts&... parts);

  const Model& model_;
  const Snapshot& snapshot_;
  const absl::Time now_;
  std::set<std::pair<int, uint64_t>> requests_granted_;
  std::vector<Problem> problems_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_COMPARISON_H_
