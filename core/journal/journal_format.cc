#include "core/journal/journal_format.h"

#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/base/little_endian.h"

namespace warmpool {
namespace {

constexpr size_t kCrcBytes = sizeof(uint32_t);
constexpr uint8_t kMarker = 0xb5;
// Marker, type and length: what a record's CRC covers besides the payload.
constexpr size_t kCheckedFrameBytes = kRecordFrameBytes - kCrcBytes;

constexpr int64_t kInfinite = std::numeric_limits<int64_t>::max();

void PutId(const RandomId& id, std::string* out) {
  PutLittleEndian(id.high, out);
  PutLittleEndian(id.low, out);
}

bool GetId(LittleEndianReader& reader, RandomId* id) {
  return reader.Get(&id->high) && reader.Get(&id->low);
}

void PutTtl(absl::Duration ttl, std::string* out) {
  // An infinite one becomes kInfinite.
  PutLittleEndian(absl::ToInt64Nanoseconds(ttl), out);
}

bool GetTtl(LittleEndianReader& reader, absl::Duration* ttl) {
  int64_t nanoseconds = 0;
  if (!reader.Get(&nanoseconds) || nanoseconds < 0) return false;
  *ttl = nanoseconds == kInfinite ? absl::InfiniteDuration()
                                  : absl::Nanoseconds(nanoseconds);
  return true;
}

void PutString(absl::string_view value, std::string* out) {
  PutLittleEndian(static_cast<uint8_t>(value.size()), out);
  out->append(value.data(), value.size());
}

bool GetString(LittleEndianReader& reader, std::string* value) {
  uint8_t count = 0;
  absl::string_view bytes;
  if (!reader.Get(&count) || !reader.GetBytes(count, &bytes)) return false;
  *value = std::string(bytes);
  return true;
}

// A value of one byte: an enumeration or a bool.
template <typename Value>
void PutByte(Value value, std::string* out) {
  PutLittleEndian(static_cast<uint8_t>(value), out);
}

template <typename Enum>
bool GetEnum(LittleEndianReader& reader, Enum* value) {
  uint8_t byte = 0;
  if (!reader.Get(&byte)) return false;
  *value = static_cast<Enum>(byte);
  return true;
}

bool GetBool(LittleEndianReader& reader, bool* value) {
  uint8_t byte = 0;
  if (!reader.Get(&byte) || byte > 1) return false;
  *value = byte == 1;
  return true;
}

// Uids or gids, and how many.
void PutIds(const std::vector<uint32_t>& ids, std::string* out) {
  PutLittleEndian(static_cast<uint8_t>(ids.size()), out);
  for (const uint32_t id : ids) PutLittleEndian(id, out);
}

bool GetIds(LittleEndianReader& reader, std::vector<uint32_t>* ids) {
  uint8_t count = 0;
  if (!reader.Get(&count) || count > Sharing::kMax) return false;
  ids->resize(count);
  for (uint32_t& id : *ids) {
    if (!reader.Get(&id)) return false;
  }
  return true;
}

// A record's frame, its length and checksum left out, and room for its payload.
std::string BeginRecord(RecordType type, size_t payload_bytes) {
  std::string record;
  record.reserve(kRecordFrameBytes + payload_bytes);
  PutByte(kMarker, &record);
  PutByte(type, &record);
  record.resize(kRecordFrameBytes);
  return record;
}

// Fills in what BeginRecord left out, once the payload is there.
std::string EndRecord(JournalSeed seed, std::string record) {
  std::string field;
  PutLittleEndian(static_cast<uint16_t>(record.size() - kRecordFrameBytes),
                  &field);
  record.replace(kCheckedFrameBytes - field.size(), field.size(), field);
  const absl::string_view written = record;
  const uint32_t crc = ExtendCrc32c(
      ExtendCrc32c(seed.crc, written.substr(0, kCheckedFrameBytes)),
      written.substr(kRecordFrameBytes));
  field.clear();
  PutLittleEndian(crc, &field);
  record.replace(kCheckedFrameBytes, field.size(), field);
  return record;
}

void PutGrant(const LeaseRecord& record, std::string* out) {
  PutId(record.id, out);
  PutId(record.request_id, out);
  PutId(record.client_id, out);
  PutLittleEndian(static_cast<int32_t>(record.holder_pid), out);
  PutLittleEndian(static_cast<uint32_t>(record.holder_uid), out);
  PutLittleEndian(record.holder_instance, out);
  PutLittleEndian(static_cast<uint32_t>(record.owner), out);
  PutLittleEndian(record.bytes, out);
  PutLittleEndian(record.segment_bytes, out);
  PutLittleEndian(static_cast<uint64_t>(record.page_bytes), out);
  PutLittleEndian(record.generation, out);
  PutByte(record.kind, out);
  PutByte(record.access, out);
  PutByte(record.warmth, out);
  PutByte(record.zeroed, out);
  PutByte(record.sealed, out);
  PutTtl(record.linger, out);
  PutIds(record.share_with.uids, out);
  PutIds(record.share_with.gids, out);
  PutTtl(record.ttl, out);
  PutLittleEndian(absl::ToUnixNanos(record.granted_at), out);
  PutString(record.holder_command, out);
  PutString(record.buffer_name, out);
  // Last, since it never ends in a zero.
  PutString(record.file_name, out);
}

// A grant is read in three parts, of which the second depends on the version.
bool GetWho(LittleEndianReader& reader, LeaseRecord* record) {
  int32_t holder_pid = 0;
  uint32_t holder_uid = 0;
  uint32_t owner = 0;
  uint64_t page_bytes = 0;
  if (!GetId(reader, &record->id) || !GetId(reader, &record->request_id) ||
      !GetId(reader, &record->client_id) || !reader.Get(&holder_pid) ||
      !reader.Get(&holder_uid) || !reader.Get(&record->holder_instance) ||
      !reader.Get(&owner) || !reader.Get(&record->bytes) ||
      !reader.Get(&record->segment_bytes) || !reader.Get(&page_bytes) ||
      !reader.Get(&record->generation)) {
    return false;
  }
  record->holder_pid = holder_pid;
  record->holder_uid = holder_uid;
  record->owner = owner;
  record->page_bytes = page_bytes;
  return true;
}

bool GetTerms1(LittleEndianReader& reader, LeaseRecord* record) {
  return GetEnum(reader, &record->access) && GetEnum(reader, &record->warmth) &&
         GetBool(reader, &record->zeroed);
}

bool GetTerms2Unshared(LittleEndianReader& reader, LeaseRecord* record) {
  return GetEnum(reader, &record->kind) && GetEnum(reader, &record->access) &&
         GetEnum(reader, &record->warmth) && GetBool(reader, &record->zeroed) &&
         GetBool(reader, &record->sealed) && GetTtl(reader, &record->linger);
}

bool GetTerms2(LittleEndianReader& reader, LeaseRecord* record) {
  return GetTerms2Unshared(reader, record) &&
         GetIds(reader, &record->share_with.uids) &&
         GetIds(reader, &record->share_with.gids);
}

bool GetNames(LittleEndianReader& reader, LeaseRecord* record) {
  int64_t granted_at = 0;
  if (!GetTtl(reader, &record->ttl) || !reader.Get(&granted_at) ||
      !GetString(reader, &record->holder_command) ||
      !GetString(reader, &record->buffer_name) ||
      !GetString(reader, &record->file_name)) {
    return false;
  }
  record->granted_at = absl::FromUnixNanos(granted_at);
  return true;
}

// All that were ever written. Where a version has several, one reads to the
// end.
struct GrantLayout {
  uint32_t version;
  bool (*get_terms)(LittleEndianReader&, LeaseRecord*);
};
constexpr GrantLayout kGrantLayouts[] = {
    {2, GetTerms2}, {2, GetTerms2Unshared}, {1, GetTerms1}};
static_assert(kGrantLayouts[0].version == kJournalVersion &&
              std::rbegin(kGrantLayouts)->version == kOldestJournalVersion);

// Of a grant's payload, without its strings' characters and the ids that it is
// shared with: three ids, four numbers that tell who, four of bytes and
// generation, five values of a byte, three times, five lengths.
constexpr size_t kGrantFixedBytes =
    3 * RandomId::kBytes + (4 + 4 + 8 + 4) + 4 * 8 + 5 + 3 * 8 + 5;

}  // namespace

size_t GrantRecordBytes(const LeaseRecord& record) {
  const size_t ids =
      record.share_with.uids.size() + record.share_with.gids.size();
  return kRecordFrameBytes + kGrantFixedBytes + ids * sizeof(uint32_t) +
         record.holder_command.size() + record.buffer_name.size() +
         record.file_name.size();
}

std::string EncodeGrant(JournalSeed seed, const LeaseRecord& lease) {
  std::string record = BeginRecord(RecordType::kGrant,
                                   GrantRecordBytes(lease) - kRecordFrameBytes);
  PutGrant(lease, &record);
  return EndRecord(seed, std::move(record));
}

size_t ReplacementRecordBytes(const LeaseRecord& record) {
  return LeaseId::kBytes + GrantRecordBytes(record);
}

std::string EncodeReplacement(JournalSeed seed, const LeaseId& replaced,
                              const LeaseRecord& lease) {
  std::string record =
      BeginRecord(RecordType::kReplacement,
                  ReplacementRecordBytes(lease) - kRecordFrameBytes);
  PutId(replaced, &record);
  PutGrant(lease, &record);
  return EndRecord(seed, std::move(record));
}

std::string EncodeRenewal(JournalSeed seed, const LeaseId& id,
                          absl::Duration ttl) {
  std::string record = BeginRecord(RecordType::kRenewal,
                                   kRenewalRecordBytes - kRecordFrameBytes);
  PutId(id, &record);
  PutTtl(ttl, &record);
  return EndRecord(seed, std::move(record));
}

std::string EncodeEnd(JournalSeed seed, const LeaseId& id) {
  std::string record =
      BeginRecord(RecordType::kEnd, kEndRecordBytes - kRecordFrameBytes);
  PutId(id, &record);
  return EndRecord(seed, std::move(record));
}

std::optional<DecodedFrame> DecodeFrame(JournalSeed seed,
                                        absl::string_view bytes,
                                        std::string* damage) {
  LittleEndianReader reader(bytes);
  uint8_t marker = 0;
  uint8_t type = 0;
  uint16_t length = 0;
  uint32_t crc = 0;
  DecodedFrame frame;
  if (!reader.Get(&marker) || marker != kMarker || !reader.Get(&type) ||
      !reader.Get(&length) || !reader.Get(&crc)) {
    *damage = "there is no record";
    return std::nullopt;
  }
  if (!reader.GetBytes(length, &frame.payload)) {
    *damage = absl::StrCat("a record of ", length, " bytes is cut short");
    return std::nullopt;
  }
  const absl::string_view checked = bytes.substr(0, kCheckedFrameBytes);
  if (crc != ExtendCrc32c(ExtendCrc32c(seed.crc, checked), frame.payload)) {
    *damage =
        absl::StrCat("the checksum of a record of ", length, " bytes is wrong");
    return std::nullopt;
  }
  frame.type = static_cast<RecordType>(type);
  return frame;
}

bool DecodeGrant(uint32_t version, absl::string_view payload,
                 LeaseRecord* record) {
  for (const GrantLayout& layout : kGrantLayouts) {
    if (layout.version != version) continue;
    LittleEndianReader reader(payload);
    *record = LeaseRecord();
    if (GetWho(reader, record) && layout.get_terms(reader, record) &&
        GetNames(reader, record) && reader.left().empty() &&
        ValidateLeaseRecord(*record).ok()) {
      return true;
    }
  }
  return false;
}

bool DecodeRenewal(absl::string_view payload, LeaseId* id,
                   absl::Duration* ttl) {
  LittleEndianReader reader(payload);
  return GetId(reader, id) && GetTtl(reader, ttl) && reader.left().empty();
}

bool DecodeEnd(absl::string_view payload, LeaseId* id) {
  LittleEndianReader reader(payload);
  return GetId(reader, id) && reader.left().empty();
}

bool DecodeReplacement(uint32_t version, absl::string_view payload,
                       LeaseId* replaced, LeaseRecord* record) {
  LittleEndianReader reader(payload);
  return GetId(reader, replaced) && DecodeGrant(version, reader.left(), record);
}

}  // namespace warmpool
