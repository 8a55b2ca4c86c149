#include "core/journal/journal_pair.h"

#include <stdio.h>

#include <utility>

#include "core/base/status_macros.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {
namespace {

constexpr char kJournalName[] = "journal";
constexpr char kSpareName[] = "journal.spare";

}  // namespace

absl::StatusOr<JournalPair> JournalPair::Open(SystemCalls* calls,
                                              int directory_fd) {
  ASSIGN_OR_RETURN(JournalFile journal,
                   JournalFile::Open(calls, directory_fd, kJournalName));
  ASSIGN_OR_RETURN(JournalFile spare,
                   JournalFile::Open(calls, directory_fd, kSpareName));
  // Its bytes count, too.
  ASSIGN_OR_RETURN(const JournalFile damaged,
                   JournalFile::Open(calls, directory_fd, kDamagedName));
  JournalPair pair(calls, directory_fd, std::move(journal), std::move(spare));
  pair.damaged_bytes_ = damaged.size_bytes();
  return pair;
}

absl::Status JournalPair::MakeMissing() {
  RETURN_IF_ERROR(journal().MakeIfMissing(kJournalName));
  return spare().MakeIfMissing(kSpareName);
}

absl::Status JournalPair::KeepAside() {
  ASSIGN_OR_RETURN(JournalFile file,
                   JournalFile::Open(calls_, directory_fd_, kDamagedName));
  RETURN_IF_ERROR(file.MakeIfMissing(kDamagedName));
  RETURN_IF_ERROR(file.Reserve(capacity()));
  next_spare_ = std::exchange(spare(), std::move(file));
  set_spare_used(spare().size_bytes());
  return absl::OkStatus();
}

JournalPair::JournalPair(SystemCalls* calls, int directory_fd,
                         JournalFile first, JournalFile second)
    : calls_(calls),
      directory_fd_(directory_fd),
      first_(std::move(first)),
      second_(std::move(second)),
      // What is in them is not known.
      first_used_(first_.size_bytes()),
      second_used_(second_.size_bytes()) {}

absl::Status JournalPair::Reserve(uint64_t bytes) {
  RETURN_IF_ERROR(first_.Reserve(bytes));
  return second_.Reserve(bytes);
}

absl::Status JournalPair::Allocate(uint64_t bytes, int* files) const {
  *files = 0;
  for (const JournalFile* const file : {&first_, &second_}) {
    RETURN_IF_ERROR(file->Allocate(bytes));
    ++*files;
  }
  return absl::OkStatus();
}

void JournalPair::RecordAllocated(uint64_t bytes, int files) {
  if (files > 0) first_.RecordAllocated(bytes);
  if (files > 1) second_.RecordAllocated(bytes);
}

absl::Status JournalPair::Exchange() {
  const int exchanged = RetryOnInterrupt([&] {
    return calls_->Rename(directory_fd_,
                          next_spare_.has_value() ? kDamagedName : kSpareName,
                          directory_fd_, kJournalName, RENAME_EXCHANGE);
  });
  if (exchanged < 0) {
    return absl::ErrnoToStatus(-exchanged,
                               "can't exchange the journal and its spare");
  }
  exchanged_ = !exchanged_;
  if (next_spare_.has_value()) {
    damaged_bytes_ = spare().size_bytes();
    spare() = *std::exchange(next_spare_, std::nullopt);
    set_spare_used(spare().size_bytes());
  }
  return absl::OkStatus();
}

std::vector<Segment> JournalPair::Take() {
  std::vector<Segment> files;
  files.push_back(journal().Take(kJournalName));
  files.push_back(spare().Take(kSpareName));
  return files;
}

}  // namespace warmpool
