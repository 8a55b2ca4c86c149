// RecordOf: what the journal keeps of a lease.
#ifndef WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_
#define WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_

#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"

namespace warmpool {

// Reads of the buffer only what does not change while it is pinned.
LeaseRecord RecordOf(const LeaseTable::Lease& lease,
                     const LeaseTable::Buffer& buffer, const Holder& holder);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_
