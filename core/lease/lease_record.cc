#include "core/lease/lease_record.h"

#include <iterator>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

absl::Status BadRecord(const LeaseRecord& record, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("lease ", record.id.ToHex(), " can't be recorded: ", why));
}

absl::Status ValidateLength(const LeaseRecord& record, absl::string_view what,
                            absl::string_view value, size_t max) {
  if (value.size() <= max) return absl::OkStatus();
  return BadRecord(record, absl::StrCat(what, " has ", value.size(),
                                        " bytes, at most ", max, " are kept"));
}

bool IsFileName(absl::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

bool IsKnown(Access access) {
  switch (access) {
    case Access::kReadOnly:
    case Access::kSharedWritable: return true;
  }
  return false;
}

bool IsKnown(LeaseKind kind) {
  switch (kind) {
    case LeaseKind::kHeld:
    case LeaseKind::kTicket:
    case LeaseKind::kLingering: return true;
  }
  return false;
}

bool IsKnown(Warmth warmth) {
  switch (warmth) {
    case Warmth::kWarm:
    case Warmth::kStock:
    case Warmth::kFresh: return true;
  }
  return false;
}

}  // namespace

absl::Status ValidateLeaseRecord(const LeaseRecord& record) {
  absl::Status status =
      ValidateLength(record, "the holder's command", record.holder_command,
                     LeaseRecord::kMaxCommandBytes);
  status.Update(ValidateLength(record, "the segment's file name",
                               record.file_name,
                               LeaseRecord::kMaxFileNameBytes));
  status.Update(ValidateLength(record, "the buffer's name", record.buffer_name,
                               LeaseRecord::kMaxBufferNameBytes));
  if (!status.ok()) return status;
  if (!IsFileName(record.file_name)) {
    return BadRecord(record,
                     absl::StrCat("\"", absl::CHexEscape(record.file_name),
                                  "\" is no name of a file"));
  }
  if (!IsKnown(record.kind)) {
    return BadRecord(record, absl::StrCat("there is no kind ",
                                          static_cast<int>(record.kind)));
  }
  if (!IsKnown(record.access)) {
    return BadRecord(record, absl::StrCat("there is no access ",
                                          static_cast<int>(record.access)));
  }
  if (!IsKnown(record.warmth)) {
    return BadRecord(record, absl::StrCat("there is no warmth ",
                                          static_cast<int>(record.warmth)));
  }
  if (record.ttl < absl::ZeroDuration()) {
    return BadRecord(record, absl::StrCat("its time to live is ",
                                          absl::FormatDuration(record.ttl)));
  }
  if (record.share_with.uids.size() > Sharing::kMax ||
      record.share_with.gids.size() > Sharing::kMax) {
    return BadRecord(record, absl::StrCat("it is shared with more than ",
                                          Sharing::kMax, " uids or gids"));
  }
  if (record.linger < absl::ZeroDuration()) {
    return BadRecord(record, absl::StrCat("its buffer lingers for ",
                                          absl::FormatDuration(record.linger)));
  }
  return absl::OkStatus();
}

bool LeaseRecords::Insert(LeaseRecord record) {
  const auto [entry, inserted] = index_.try_emplace(record.id);
  if (!inserted) return false;
  entry->second.record = in_order_.insert(in_order_.end(), std::move(record));
  if (next_ == nullptr) next_ = &in_order_.back();
  return true;
}

LeaseRecord* LeaseRecords::Find(const LeaseId& id) {
  const auto entry = index_.find(id);
  return entry == index_.end() ? nullptr : &*entry->second.record;
}

bool LeaseRecords::Erase(const LeaseId& id) {
  const auto entry = index_.find(id);
  if (entry == index_.end()) return false;
  if (next_ == &*entry->second.record) next_ = After(entry->second);
  in_order_.erase(entry->second.record);
  index_.erase(entry);
  return true;
}

void LeaseRecords::StartWalk() {
  ++walk_;
  next_ = in_order_.empty() ? nullptr : &in_order_.front();
}

const LeaseRecord* LeaseRecords::Walk() {
  if (next_ == nullptr) return nullptr;
  const LeaseRecord* const passed = next_;
  Place& place = index_.at(passed->id);
  place.walk = walk_;
  next_ = After(place);
  return passed;
}

const LeaseRecord* LeaseRecords::After(const Place& place) const {
  const auto after = std::next(place.record);
  return after == in_order_.end() ? nullptr : &*after;
}

}  // namespace warmpool
