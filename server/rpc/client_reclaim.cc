#include "server/rpc/client_reclaim.h"

#include "proto/warmpool/v1/warmpool.pb.h"
#include "spdlog/spdlog.h"

namespace warmpool {

ClientReclaim::ClientReclaim(Pool* pool, SessionHub* sessions,
                             const Clock* clock)
    : pool_(*pool), sessions_(*sessions), clock_(*clock), waits_(pool, clock) {}

void ClientReclaim::Trim(uint64_t wanted_bytes) {
  spdlog::debug("asking clients for idle memory bytes={}", wanted_bytes);
  v1::SessionResponse notice;
  notice.mutable_trim()->set_wanted_bytes(wanted_bytes);
  sessions_.NotifyAll(notice);
}

absl::Time ClientReclaim::TrimForRequest(uint64_t wanted_bytes) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    const bool was_asked =
        now < trimmed_at_ + kTrimWithin && wanted_bytes <= trimmed_bytes_;
    if (was_asked) return now + kTrimWithin;
    trimmed_at_ = now;
    trimmed_bytes_ = wanted_bytes;
  }
  Trim(wanted_bytes);
  return now + kTrimWithin;
}

uint64_t ClientReclaim::TrimAndWait() {
  const uint64_t idle = idle_bytes();
  if (idle == 0) return 0;
  uint64_t seen = pool_.returns();
  Trim(0);
  const absl::Time until = clock_.Now() + kTrimWithin;
  while (clock_.Now() < until) seen = pool_.AwaitReturn(seen, until);
  return idle;
}

}  // namespace warmpool
