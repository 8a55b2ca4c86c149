// Error texts about leases: why one ended, and which lease keeps a name.
#ifndef WARMPOOL_CORE_BOOK_LEASE_MESSAGES_H_
#define WARMPOOL_CORE_BOOK_LEASE_MESSAGES_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/book/lease_entries.h"
#include "core/lease/lease.h"

namespace warmpool {

// The rest of a sentence that starts with the lease or the ticket.
const char* DescribeEnd(LeaseKind kind, EndCause cause);

// ALREADY_EXISTS: the buffer's name is taken. `first`: a lease on it, with its
// holder.
absl::Status NameTaken(const BufferEntry& buffer, const LeaseEntry& first,
                       const Holder& holder, absl::Time now);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_MESSAGES_H_
