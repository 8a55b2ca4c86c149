// The header of a journal file. All integers are little-endian:
//
//   two copies, so that no one flipped byte costs the records:
//   magic "WPLEASES", format version u32, epoch u64, last generation u64,
//   snapshot number u64, bytes of the file u64, length of the boot id u8, boot
//   id, zeros, CRC u32 (CRC-32C)
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_HEADER_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace warmpool {

// What is written; to be raised with every change of it. All from the oldest on
// are read, so that the daemon of one version takes up the leases of the one
// before. What they tell of a lease:
//   1  nothing of kind, seal, linger and whom it is shared with: it is held
//   2  all; some of this version's leave out whom it is shared with
inline constexpr uint32_t kJournalVersion = 2;
inline constexpr uint32_t kOldestJournalVersion = 1;
inline constexpr size_t kJournalHeaderBytes = 256;
inline constexpr size_t kMaxBootIdBytes = 64;

struct JournalHeader {
  // Of the machine's life that the records belong to.
  std::string boot_id;
  // Number of the daemon that wrote it, counted from 1.
  uint64_t epoch = 0;
  // The highest generation that a lease had when the snapshot was begun.
  uint64_t last_generation = 0;
  // Number of the snapshot that the file began as.
  uint64_t snapshot = 0;
  // Length that the file had then: a shorter one was cut.
  uint64_t file_bytes = 0;

  friend bool operator==(const JournalHeader&, const JournalHeader&) = default;
};

// What the CRCs of a file's records begin with.
struct JournalSeed {
  uint32_t crc = 0;
};

// Both copies. REQUIRES: boot_id has at most kMaxBootIdBytes.
std::string EncodeJournalHeader(const JournalHeader& header, JournalSeed* seed);

struct DecodedHeader {
  JournalHeader header;
  JournalSeed seed;
  uint32_t version = kJournalVersion;
};
// From the first kJournalHeaderBytes of a file: the first copy that is whole;
// nullopt if none is of a version that is read. `damage` gets what is wrong
// with either copy, empty if nothing is.
std::optional<DecodedHeader> DecodeJournalHeader(absl::string_view bytes,
                                                 std::string* damage);
// The version that either copy tells, where it is later than kJournalVersion; 0
// if neither does. How such a header goes on, and how it is checked, is not
// known.
uint32_t LaterVersionOf(absl::string_view bytes);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_HEADER_H_
