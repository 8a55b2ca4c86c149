// RecordOf: a lease's journal record.
#ifndef WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_
#define WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_

#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"

namespace warmpool {

// Reads only those fields of the buffer that do not change while it is pinned.
LeaseRecord RecordOf(const LeaseTable::Lease& lease,
                     const LeaseTable::Buffer& buffer, const Holder& holder);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_JOURNAL_RECORD_H_
