// Sabotage: breaches made on purpose, to hold the checks to account. Each is
// done for real, and no check is told of it.
#ifndef WARMPOOL_TESTS_TORTURE_SABOTAGE_H_
#define WARMPOOL_TESTS_TORTURE_SABOTAGE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace warmpool::torture {

enum class Sabotage {
  kNone,
  // By the daemon; failpoint_daemon.cc, which is told their names.
  // Every proof says that nobody else has a segment.
  kDoubleGrant,
  // Files that are to go stay.
  kLeakedFile,
  // Files get no pages, only a length.
  kNoPages,
  // The ends of clients are not seen.
  kDeafDaemon,
  // What is to be journalled is not.
  kNoJournal,

  // By the driver; Saboteur.
  // A lease is revoked that its client holds.
  kLostLease,
  // A byte of a sealed buffer is changed.
  kChangedSeal,
  // Somebody keeps a dead client's files open.
  kKeptMemory,
  // A daemon finds the journal as it was some time before.
  kOldJournal,
};

// "double_grant"; nullopt: there is none of that name.
std::optional<Sabotage> SabotageNamed(absl::string_view name);
std::string NameOf(Sabotage sabotage);
// "double_grant, leaked_file, ...".
std::string SabotageNames();
bool IsByDaemon(Sabotage sabotage);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_SABOTAGE_H_
