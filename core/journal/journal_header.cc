#include "core/journal/journal_header.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/crc32c.h"
#include "core/base/little_endian.h"

namespace warmpool {
namespace {

constexpr absl::string_view kMagic = "WPLEASES";
constexpr size_t kHeaderCopyBytes = kJournalHeaderBytes / 2;
constexpr size_t kCrcBytes = sizeof(uint32_t);

// How every version begins.
bool GetVersion(LittleEndianReader& reader, uint32_t* version) {
  absl::string_view magic;
  return reader.GetBytes(kMagic.size(), &magic) && magic == kMagic &&
         reader.Get(version);
}

// The header's copy at that offset, as much as there is of it.
absl::string_view CopyAt(size_t offset, absl::string_view bytes) {
  return bytes.substr(std::min(offset, bytes.size()), kHeaderCopyBytes);
}

// One copy of a header, or what is wrong with it.
std::optional<DecodedHeader> DecodeCopy(absl::string_view copy,
                                        std::string* damage) {
  uint32_t version = 0;
  LittleEndianReader reader(copy);
  if (!GetVersion(reader, &version)) {
    *damage = "is not one of a journal";
    return std::nullopt;
  }
  if (version < kOldestJournalVersion || version > kJournalVersion) {
    *damage =
        absl::StrCat("is of format version ", version, ", this daemon reads ",
                     kOldestJournalVersion, " to ", kJournalVersion);
    return std::nullopt;
  }
  DecodedHeader decoded;
  decoded.version = version;
  JournalHeader& header = decoded.header;
  uint8_t boot_id_bytes = 0;
  absl::string_view boot_id;
  uint32_t crc = 0;
  if (copy.size() < kHeaderCopyBytes ||
      !LittleEndianReader(copy.substr(kHeaderCopyBytes - kCrcBytes))
           .Get(&crc) ||
      crc != Crc32c(copy.substr(0, kHeaderCopyBytes - kCrcBytes)) ||
      !reader.Get(&header.epoch) || !reader.Get(&header.last_generation) ||
      !reader.Get(&header.snapshot) || !reader.Get(&header.file_bytes) ||
      !reader.Get(&boot_id_bytes) || boot_id_bytes > kMaxBootIdBytes ||
      !reader.GetBytes(boot_id_bytes, &boot_id)) {
    *damage = "is damaged";
    return std::nullopt;
  }
  header.boot_id = std::string(boot_id);
  decoded.seed.crc = crc;
  return decoded;
}

}  // namespace

std::string EncodeJournalHeader(const JournalHeader& header,
                                JournalSeed* seed) {
  WARMPOOL_CHECK(header.boot_id.size() <= kMaxBootIdBytes,
                 "a boot id is bounded");
  std::string copy(kMagic);
  PutLittleEndian(kJournalVersion, &copy);
  PutLittleEndian(header.epoch, &copy);
  PutLittleEndian(header.last_generation, &copy);
  PutLittleEndian(header.snapshot, &copy);
  PutLittleEndian(header.file_bytes, &copy);
  PutLittleEndian(static_cast<uint8_t>(header.boot_id.size()), &copy);
  copy.append(header.boot_id);
  copy.resize(kHeaderCopyBytes - kCrcBytes);
  seed->crc = Crc32c(copy);
  PutLittleEndian(seed->crc, &copy);
  return copy + copy;
}

std::optional<DecodedHeader> DecodeJournalHeader(absl::string_view bytes,
                                                 std::string* damage) {
  damage->clear();
  std::optional<DecodedHeader> first_whole;
  for (size_t offset = 0; offset < kJournalHeaderBytes;
       offset += kHeaderCopyBytes) {
    std::string why;
    const std::optional<DecodedHeader> decoded =
        DecodeCopy(CopyAt(offset, bytes), &why);
    if (!decoded.has_value() && damage->empty()) {
      *damage = absl::StrCat("the header at byte ", offset, " ", why);
    }
    if (!first_whole.has_value()) first_whole = decoded;
  }
  return first_whole;
}

uint32_t LaterVersionOf(absl::string_view bytes) {
  for (const size_t offset : {size_t{0}, kHeaderCopyBytes}) {
    uint32_t version = 0;
    LittleEndianReader reader(CopyAt(offset, bytes));
    if (GetVersion(reader, &version) && version > kJournalVersion) {
      return version;
    }
  }
  return 0;
}

}  // namespace warmpool
