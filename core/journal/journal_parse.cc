#include "core/journal/journal_parse.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/journal/journal_format.h"

namespace warmpool {
namespace {

// Where the last byte ends that is not zero.
size_t EndOfContents(absl::string_view bytes) {
  const size_t last = bytes.find_last_not_of('\0');
  return last == bytes.npos ? 0 : last + 1;
}

void AddDamage(const std::string& what, ParsedJournal* parsed) {
  absl::StrAppend(&parsed->damage, parsed->damage.empty() ? "" : "; ", what);
}

// Does what a record says. False, and why, if it says nothing that can be.
bool Apply(uint32_t version, const DecodedFrame& frame, ParsedJournal* parsed,
           std::string* damage) {
  switch (frame.type) {
    case RecordType::kGrant: {
      LeaseRecord record;
      if (!DecodeGrant(version, frame.payload, &record)) break;
      parsed->last_generation =
          std::max(parsed->last_generation, record.generation);
      const LeaseId id = record.id;
      if (parsed->leases.Insert(std::move(record))) return true;
      *damage = absl::StrCat("lease ", id.ToHex(), " is granted twice");
      return false;
    }
    case RecordType::kRenewal: {
      LeaseId id;
      absl::Duration ttl;
      if (!DecodeRenewal(frame.payload, &id, &ttl)) break;
      if (LeaseRecord* lease = parsed->leases.Find(id)) lease->ttl = ttl;
      return true;
    }
    case RecordType::kReplacement: {
      LeaseId replaced;
      LeaseRecord record;
      if (!DecodeReplacement(version, frame.payload, &replaced, &record)) {
        break;
      }
      parsed->last_generation =
          std::max(parsed->last_generation, record.generation);
      const LeaseId id = record.id;
      if (parsed->leases.Erase(replaced) &&
          parsed->leases.Insert(std::move(record))) {
        return true;
      }
      *damage = absl::StrCat("lease ", replaced.ToHex(), " can't become ",
                             id.ToHex(), ": it is not live, or that is");
      return false;
    }
    case RecordType::kEnd: {
      LeaseId id;
      if (!DecodeEnd(frame.payload, &id)) break;
      parsed->leases.Erase(id);
      return true;
    }
  }
  *damage = absl::StrCat("a record of type ", static_cast<int>(frame.type),
                         " can't be read");
  return false;
}

// Reads records from `offset` up to the first that is not whole.
void ReadRecords(absl::string_view bytes, size_t offset,
                 const DecodedHeader& header, ParsedJournal* parsed) {
  const size_t end = EndOfContents(bytes);
  // A record may end in zeros.
  while (offset < end) {
    std::string damage;
    const std::optional<DecodedFrame> frame =
        DecodeFrame(header.seed, bytes.substr(offset), &damage);
    if (!frame.has_value() || !Apply(header.version, *frame, parsed, &damage)) {
      AddDamage(absl::StrCat("at byte ", offset, " ", damage, ": ",
                             end - offset, " bytes cut"),
                parsed);
      return;
    }
    offset += kRecordFrameBytes + frame->payload.size();
  }
}

}  // namespace

ParsedJournal ParseJournal(absl::string_view bytes,
                           const std::string& boot_id) {
  ParsedJournal parsed;
  const size_t end = EndOfContents(bytes);
  if (end == 0) return parsed;
  std::string damage;
  const std::optional<DecodedHeader> decoded =
      DecodeJournalHeader(bytes, &damage);
  if (!decoded.has_value()) {
    parsed.later_version = LaterVersionOf(bytes);
    if (parsed.later_version > 0) return parsed;
    parsed.damage = absl::StrCat(damage, ": ", end, " bytes cut");
    return parsed;
  }
  const JournalHeader& header = decoded->header;
  if (header.boot_id != boot_id) return parsed;
  parsed.epoch = header.epoch;
  parsed.last_generation = header.last_generation;
  parsed.snapshot = header.snapshot;
  if (!damage.empty()) {
    AddDamage(absl::StrCat(damage, ", its copy is whole: 0 bytes cut"),
              &parsed);
  }
  if (bytes.size() < header.file_bytes) {
    AddDamage(absl::StrCat("at byte ", bytes.size(), " the file ends: ",
                           header.file_bytes - bytes.size(), " bytes cut"),
              &parsed);
  }
  ReadRecords(bytes, kJournalHeaderBytes, *decoded, &parsed);
  return parsed;
}

}  // namespace warmpool
