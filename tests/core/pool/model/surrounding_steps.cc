#include "tests/core/pool/model/surrounding_steps.h"

#include <errno.h>

#include <algorithm>

#include "gmock/gmock-matchers.h"
#include "tests/core/pool/model/client_files.h"

namespace warmpool {

void AdvanceAndTick(ModelRun& run) {
  PoolWorld& world = run.world;
  if (world.Chance(10)) {
    const absl::Time until = world.clock.Now() + absl::Seconds(3);
    world.pool->PostponeExpiry(until);
    run.expected.PostponeExpiry(until);
  }
  const absl::Duration passed = world.RandomPause();
  // A caller that was stopped meanwhile looked at its leases before.
  AdvanceAndTick(run, passed,
                 world.Chance(10)
                     ? world.clock.Now() + passed - world.RandomPause()
                     : absl::InfiniteFuture());
}

void AdvanceAndTick(ModelRun& run, absl::Duration passed, absl::Time as_of) {
  PoolWorld& world = run.world;
  world.clock.Advance(passed);
  const absl::Time now = world.clock.Now();
  absl::Time next = world.pool->Tick(as_of);
  // One call wakes a few of those whose time is over.
  for (size_t due = run.waits.CountDue(now); due > 0 && next <= now; --due) {
    next = world.pool->Tick(as_of);
  }
  run.expected.EndExpired(std::min(as_of, now));
  run.waits.WakeDue(now);
  world.next_tick = next;
  world.is_due_earlier = false;
  if (as_of >= now) {
    EXPECT_GT(next, now) << "a tick that leaves something due";
  }
}

void AddHolder(ModelRun& run) {
  PoolWorld& world = run.world;
  if (run.expected.holders().size() >= 6) return;
  const HolderId id = run.next_holder++;
  const bool is_admin = world.Chance(20);
  Holder holder{.id = id,
                .pid = static_cast<pid_t>(1000 + id),
                .uid = is_admin ? 0u : 1000 + uid_t(world.Random(2)),
                .command = "client",
                .admin = is_admin,
                .instance = 100 + id};
  if (world.Chance(50)) holder.gids.push_back(2000 + world.Random(2));
  world.pool->AddHolder(holder);
  run.expected.AddHolder(holder);
}

void KillHolder(ModelRun& run) {
  if (run.expected.holders().empty()) return;
  const HolderId killed = run.world.RandomIn(run.expected.holders())->first;
  run.world.pool->RemoveHolder(killed);
  run.expected.RemoveHolder(killed);
  run.waits.WakeOf(killed);
}

void OpenFile(ModelRun& run) {
  PoolWorld& world = run.world;
  const std::set<std::string>& stale = run.expected.stale_paths();
  if (!stale.empty() && world.Chance(30)) {
    // Somebody who was stopped since he was granted it. It may be gone.
    (void)world.files.Open(*world.RandomIn(stale), /*for_writing=*/true);
    return;
  }
  if (run.expected.buffers().empty()) return;
  const auto& buffer = world.RandomIn(run.expected.buffers())->second;
  const bool for_writing = !buffer.sealed && world.Chance(70);
  const int error = world.files.Open(buffer.path, for_writing);
  EXPECT_NE(error, EWOULDBLOCK)
      << "a proof left its lease behind on " << buffer.path;
  // A seal that failed, as did its undoing, leaves the file shut to writers.
  EXPECT_TRUE(error == 0 || (error == EACCES && for_writing))
      << buffer.path << ": errno " << error;
}

void CloseFile(ModelRun& run) {
  ClientFiles& files = run.world.files;
  if (files.count() > 0) files.Close(run.world.Random(files.count()));
}

void TamperWithOne(ModelRun& run) {
  if (run.expected.buffers().empty() || !run.world.tampers) return;
  auto& buffer = run.world.RandomIn(run.expected.buffers())->second;
  TruncateFile(buffer.path, run.world.Random(2) * 4096);
  buffer.tampered = true;
}

}  // namespace warmpool
