// ParseJournal: what the bytes of a journal file say. No input crashes it.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_PARSE_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_PARSE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "core/lease/lease_record.h"

namespace warmpool {

struct ParsedJournal {
  // Those that were granted and not ended.
  LeaseRecords leases;
  // 0 where there is nothing of this boot.
  uint64_t epoch = 0;
  uint64_t last_generation = 0;
  uint64_t snapshot = 0;
  // Not 0: the file is of this format version, which only later daemons read.
  // Nothing else is known of it then.
  uint32_t later_version = 0;
  // Empty if the file is as it was written, or is another boot's. Else one
  // line: what is wrong, at which offset, and how many bytes were cut for it.
  std::string damage;
};

// Reads any version from kOldestJournalVersion to kJournalVersion, up to the
// first record that is not whole. Bytes that are all zero, or
// none, are a first start. Renewals and ends may stand between the grants of a
// snapshot, which may have been made while leases changed; but each lease is
// granted before it is renewed or ended, and once only while it is live: a
// grant of a lease that is live is damage. A renewal or an end of one that is
// not live is passed over. What is cut exactly between two records, with zeros
// in its place, can't be told from what was never written.
ParsedJournal ParseJournal(absl::string_view bytes, const std::string& boot_id);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_PARSE_H_
