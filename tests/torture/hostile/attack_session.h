// AttackSession: a Session that is read, if at all, when the attack likes. What
// it writes or reads fails once the attack is over. One thread may write while
// another reads.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACK_SESSION_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACK_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "tests/server/raw_client.h"
#include "tests/torture/hostile/attacker.h"

namespace warmpool::torture {

class AttackSession {
 public:
  // `attacker` must outlive this.
  AttackSession(Attacker* attacker, testing::RawClient* client);
  // Cancels it.
  ~AttackSession();
  AttackSession(const AttackSession&) = delete;
  AttackSession& operator=(const AttackSession&) = delete;

  // False: it has ended. Waits while the daemon reads no further.
  bool Write(const v1::SessionRequest& request);
  // The next reply; notices are passed over. nullopt: it has ended.
  std::optional<v1::SessionReply> ReadReply();
  // What waits in it is told so.
  void Cancel() { context_.TryCancel(); }

 private:
  Attacker& attacker_;
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>>
      stream_;
};

// A request for `count` leases of `bytes` each.
v1::SessionRequest LeaseManyOf(uint64_t tag, int count, uint64_t bytes);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACK_SESSION_H_
