// The journal's reader on any bytes. They are read as they are, which tells
// that damage is survived; and once more with their checksums made right, which
// lets through to the records' contents what would stop at the checksums.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/little_endian.h"
#include "core/journal/journal_format.h"
#include "core/journal/journal_parse.h"
#include "core/lease/lease_record.h"

namespace warmpool {
namespace {

constexpr char kBoot[] = "3f0e0c1c-6f0f-4a60-9d33-5c4f5a0c4f11";
constexpr size_t kCrcBytes = 4;
constexpr size_t kHeaderCopyBytes = kJournalHeaderBytes / 2;

void PutCrc(uint32_t crc, size_t offset, std::string* bytes) {
  std::string encoded;
  PutLittleEndian(crc, &encoded);
  bytes->replace(offset, kCrcBytes, encoded);
}

// Makes the checksums right, of records as far as they lead to each other.
void Seal(std::string* bytes) {
  if (bytes->size() < kJournalHeaderBytes) return;
  uint32_t seed = 0;
  for (const size_t copy : {kHeaderCopyBytes, size_t{0}}) {
    seed = Crc32c(
        absl::string_view(*bytes).substr(copy, kHeaderCopyBytes - kCrcBytes));
    PutCrc(seed, copy + kHeaderCopyBytes - kCrcBytes, bytes);
  }
  size_t offset = kJournalHeaderBytes;
  while (offset + kRecordFrameBytes <= bytes->size()) {
    const absl::string_view rest = absl::string_view(*bytes).substr(offset);
    uint16_t length = 0;
    if (!LittleEndianReader(rest.substr(2)).Get(&length)) return;
    if (rest.size() < kRecordFrameBytes + length) return;
    const uint32_t crc = ExtendCrc32c(ExtendCrc32c(seed, rest.substr(0, 4)),
                                      rest.substr(kRecordFrameBytes, length));
    PutCrc(crc, offset + kRecordFrameBytes - kCrcBytes, bytes);
    offset += kRecordFrameBytes + length;
  }
}

// What was read must be fit to be written, and come back.
void ExpectComesBack(const ParsedJournal& parsed) {
  JournalSeed seed;
  std::string bytes = EncodeJournalHeader(
      {kBoot, parsed.epoch, parsed.last_generation, parsed.snapshot, 0}, &seed);
  for (const LeaseRecord& lease : parsed.leases) {
    WARMPOOL_CHECK(ValidateLeaseRecord(lease).ok(), "a bad lease was read");
    bytes += EncodeGrant(seed, lease);
  }
  const ParsedJournal again = ParseJournal(bytes, kBoot);
  WARMPOOL_CHECK(again.damage.empty(), "what was written is damaged");
  WARMPOOL_CHECK(
      std::vector<LeaseRecord>(again.leases.begin(), again.leases.end()) ==
          std::vector<LeaseRecord>(parsed.leases.begin(), parsed.leases.end()),
      "what was read comes back otherwise");
}

}  // namespace
}  // namespace warmpool

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace warmpool;  // NOLINT: the entry point has no namespace.
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  ExpectComesBack(ParseJournal(input, kBoot));
  std::string sealed(input);
  Seal(&sealed);
  ExpectComesBack(ParseJournal(sealed, kBoot));
  return 0;
}
