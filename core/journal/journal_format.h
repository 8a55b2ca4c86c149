// The records of a journal file, which follow its header (journal_header.h).
// All integers are little-endian:
//
//   records  those of a snapshot first, in order of grant, and with them what
//            changed while it was made; then what was appended. Each:
//            marker u8, type u8, length of the payload u16, CRC u32, payload
//   zeros    up to the end of the file
//
// CRCs are CRC-32C. That of a record continues the header's, which differs from
// one snapshot to the next: so what an earlier use of the file left is no
// record. A marker and a type are never zero, so eight zero bytes are no record
// with one byte flipped. The last byte of a grant is not zero either: what is
// half written is never taken for whole.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_FORMAT_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/journal/journal_header.h"
#include "core/lease/lease_record.h"

namespace warmpool {

inline constexpr size_t kRecordFrameBytes = 8;
inline constexpr size_t kEndRecordBytes = kRecordFrameBytes + LeaseId::kBytes;

enum class RecordType : uint8_t {
  kGrant = 1,
  kRenewal = 2,
  kEnd = 3,
  // The end of one lease and the grant of another in its place.
  kReplacement = 4,
};

// One record. A grant's length does not depend on its times and numbers.
// REQUIRES: ValidateLeaseRecord(record) is OK.
std::string EncodeGrant(JournalSeed seed, const LeaseRecord& lease);
std::string EncodeRenewal(JournalSeed seed, const LeaseId& id,
                          absl::Duration ttl);
std::string EncodeEnd(JournalSeed seed, const LeaseId& id);
// REQUIRES: as of EncodeGrant.
std::string EncodeReplacement(JournalSeed seed, const LeaseId& replaced,
                              const LeaseRecord& lease);

// Bytes of the grant's record.
size_t GrantRecordBytes(const LeaseRecord& record);
size_t ReplacementRecordBytes(const LeaseRecord& record);
inline constexpr size_t kRenewalRecordBytes = kEndRecordBytes + 8;

// A record taken out of its frame.
struct DecodedFrame {
  RecordType type = RecordType::kEnd;
  absl::string_view payload;
};
// The record that `bytes` begins with; nullopt, and why, if none is whole.
std::optional<DecodedFrame> DecodeFrame(JournalSeed seed,
                                        absl::string_view bytes,
                                        std::string* damage);

// Payloads. False for anything but what the functions above write, or those of
// that version wrote.
bool DecodeGrant(uint32_t version, absl::string_view payload,
                 LeaseRecord* record);
bool DecodeRenewal(absl::string_view payload, LeaseId* id, absl::Duration* ttl);
bool DecodeEnd(absl::string_view payload, LeaseId* id);
bool DecodeReplacement(uint32_t version, absl::string_view payload,
                       LeaseId* replaced, LeaseRecord* record);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_FORMAT_H_
