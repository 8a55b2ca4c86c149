// Recovery: how a daemon takes up the leases of the one before it. The journal
// says what was granted, the kernel says which holders still live, the
// directory says which segments are there: a lease goes on where all three
// agree.
#ifndef WARMPOOL_SERVER_RECOVERY_H_
#define WARMPOOL_SERVER_RECOVERY_H_

#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "core/memory/segment.h"
#include "core/pool/pool.h"
#include "server/clients/holder_registry.h"

namespace warmpool {

// Tells one run of the machine from another (proc(5)): what a journal says of
// processes and of monotonic times holds within one. Empty: not known.
std::string BootId();

// Before the first connection, as the last thing of a start: nothing of it can
// fail. Logs what was found, damage to the journal loudly. `leftovers` are the
// segments in the directory. A holder that can't be seen for want of a
// descriptor is taken to live.
// REQUIRES: the journal has begun.
void RecoverLeases(const Journal::Replay& replay,
                   std::vector<Segment> leftovers, HolderRegistry* holders,
                   Pool* pool);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RECOVERY_H_
