// Model: what is known from outside about every lease, from the reports of the
// clients and from what the driver did to them; and what must therefore be true
// of the daemon.
//
// A lease of a live client that was acknowledged must be there until its client
// begins to release it. It may be gone only if its time to live could run out:
// nobody renewed it, or its client was stopped for too long to. A lease whose
// release was acknowledged must not be there. A request or release that got no
// answer may have been carried out or not, for one time to live.
//
// A sealed buffer can be attached to for reading until its linger ends, and a
// ticket be claimed once until its time to live ends: see handovers.h.
//
// It hears of everything in the order of Timeline, so whatever led to an event
// is known when it is judged. A thing is done at some moment between the report
// before and the report after; between the two, and for ever if the second
// never comes, it may have been done or not. A breach is what no such moment
// excuses.
//
// Pure bookkeeping: no clock, no system call. Not thread-safe.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_MODEL_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_MODEL_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"
#include "tests/torture/model/snapshot.h"
#include "tests/torture/report.h"

namespace warmpool::torture {

class Model {
 public:
  // What the daemon may be late by: it promises "within a second".
  static constexpr absl::Duration kSlack = absl::Seconds(1);

  // Something that does not fit together.
  struct Problem {
    // The same for one problem at different moments.
    std::string key = {};
    std::string what = {};
    // How long it may last: what happened may not have been noticed yet.
    absl::Duration patience = {};
  };

  struct Counts {
    uint64_t leases = 0;
    uint64_t attached = 0;
    uint64_t released = 0;
    uint64_t refused = 0;
    // Requests and releases without an answer.
    uint64_t unanswered = 0;
    uint64_t renewed = 0;
    // Rightly gone when their client came back to them.
    uint64_t expired = 0;
    // Buffers that came with the stamps of an earlier lease.
    uint64_t reused = 0;
    uint64_t forks = 0;
    uint64_t bytes_checked = 0;
    // Buffers sealed; attached to for reading, and those of these whose sealer
    // had let go of them before.
    uint64_t sealed = 0;
    uint64_t read = 0;
    uint64_t read_late = 0;
    uint64_t tickets = 0;
    uint64_t claimed = 0;
    // Rightly refused: claimed before, expired, or mapped by a fork.
    uint64_t claims_refused = 0;
  };

  Model();
  ~Model();

  void OnClientStarted(int client, pid_t pid);
  void OnClientStopped(int client, absl::Time now);
  void OnClientContinued(int client, absl::Time now);
  // Its process is gone, and was there until `now`; children that it forked may
  // be there yet. What it had not reported may have been done or not.
  void OnClientDied(int client, absl::Time now);
  // A daemon serves, after a time without one.
  void OnDaemonUp(absl::Time now) { daemon_up_ = now; }

  // Takes in what a client said. Returns what is wrong with it, if anything.
  std::optional<std::string> Apply(int client, const Report& report);

  // What does not fit together at a moment at which no client does anything,
  // but those that are stopped.
  std::vector<Problem> Problems(const Snapshot& snapshot, absl::Time now) const;

  // Forgets what no snapshot can show any more, and no report come back to:
  // what `snapshot`, with which nothing is wrong, does not list, after kMemory.
  static constexpr absl::Duration kMemory = absl::Minutes(2);
  void Prune(const Snapshot& snapshot, absl::Time now);
  // What it remembers, in entries of all kinds.
  size_t remembered() const;

  const Counts& counts() const { return counts_; }
  // Leases that clients hold.
  size_t held() const;

 private:
  // kGiving: its client makes a ticket of it.
  enum class Phase { kHeld, kReleasing, kUnreleased, kGiving };
  enum class Deed { kLease, kAttach, kRead, kSeal, kTicket, kClaim };

  struct Lease {
    int client = 0;
    Phase phase = Phase::kHeld;
    // Whose stamps its pages have: its own id, or that of the lease whose
    // buffer it is attached to, or that it was claimed from and not stamped
    // since.
    RandomId stamper = {};
    uint64_t generation = 0;
    uint64_t bytes = 0;
    uint64_t inode = 0;
    absl::Duration ttl = {};
    bool renewed = false;
    absl::Time asked = {};
    // Of its last grant or renewal that was acknowledged, or of the end of its
    // release.
    absl::Time last_sign = {};
  };

  struct Request {
    Deed deed = Deed::kLease;
    absl::Time asked = {};
    // 0: whatever the buffer has that it attaches to.
    uint64_t bytes = 0;
    absl::Duration ttl = {};
    bool renewed = false;
    // Null for a lease: whose buffer it attaches to, seals, gives or claims.
    RandomId stamper = {};
    // When it ended without an answer.
    std::optional<absl::Time> unanswered = {};
  };

  struct Span {
    absl::Time from = {};
    absl::Time to = {};
  };

  struct Client {
    pid_t pid = 0;
    bool alive = true;
    absl::Time died = absl::InfiniteFuture();
    std::vector<Span> stops = {};
    absl::Time last_fork = absl::InfinitePast();
    // By number.
    std::map<uint64_t, Request> requests;

    bool Stopped() const;
  };

  using Verdict = std::optional<std::string>;

  static Deed DeedOf(const Report& report);
  Verdict OnGranted(int client, const Report& report);
  Verdict OnRefused(int client, const Report& report);
  Verdict OnUnsure(int client, const Report& report);
  Verdict OnEnded(int client, const Report& report);
  Verdict OnLost(int client, const Report& report);
  Verdict JudgeFound(int client, const Report& report) const;
  Verdict JudgeNotFound(int client, const Request& request,
                        absl::Time answered) const;
  // Whether somebody else has the file that a client was granted, or whoever
  // shares the buffer has another file or size.
  Verdict JudgeFile(int client, const Report& report) const;

  // The longest time from `from` on that a client could not renew anything.
  absl::Duration LongestStop(const Client& client, absl::Time from,
                             absl::Time now) const;
  bool MayHaveExpired(int client, absl::Time asked, absl::Duration ttl,
                      bool renewed, absl::Time now) const;
  bool MayHaveExpired(const Lease& lease, absl::Time now) const;
  // When a lease that nobody renews after `last_sign` must be gone.
  absl::Time MustBeGone(absl::Time last_sign, absl::Duration ttl) const;
  // Null unless a live process has the pages stamped by `stamper`.
  Verdict WhoHas(const RandomId& stamper) const;

  class Comparison;
  class HandOvers;

  std::map<int, Client> clients_;
  absl::flat_hash_map<pid_t, int> client_of_pid_;
  absl::flat_hash_map<RandomId, Lease> leases_;
  // Those that ended by an acknowledged release or ticket, and when.
  absl::flat_hash_map<RandomId, absl::Time> released_;
  struct File {
    uint64_t inode = 0;
    // Of the buffer.
    uint64_t bytes = 0;
    absl::Time seen = {};
  };
  // By generation.
  absl::flat_hash_map<uint64_t, File> files_;
  // By stamper: forked children that have its pages mapped.
  absl::flat_hash_map<RandomId, int> forks_;
  absl::Time daemon_up_ = absl::InfinitePast();
  Counts counts_;
  std::unique_ptr<HandOvers> hand_overs_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_MODEL_H_
