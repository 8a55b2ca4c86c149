// JournalPair: the two files of a journal, "journal" and "journal.spare", which
// exchange their names. A third, "journal.damaged", is the last one that could
// not be read whole: it is kept for whoever wants to know what happened.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_PAIR_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_PAIR_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/journal/journal_file.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

// Move-only. Externally synchronised, except for Allocate.
class JournalPair {
 public:
  static constexpr char kDamagedName[] = "journal.damaged";

  // Opens those that are there. `calls` and the directory must outlive it.
  static absl::StatusOr<JournalPair> Open(SystemCalls* calls, int directory_fd);
  // Makes the two where they are missing. To be called before anything below.
  absl::Status MakeMissing();
  // The next exchange, which must be the first, gives the journal the name
  // kDamagedName; what had it goes. It takes room for a third file. After an
  // error the next exchange is as any.
  absl::Status KeepAside();

  // A file stays where it is, whichever of the two it becomes.
  JournalFile& journal() { return exchanged_ ? second_ : first_; }
  JournalFile& spare() { return exchanged_ ? first_ : second_; }

  // Of all, and of the shorter one of the two, which is what may be used of
  // either.
  uint64_t bytes() const {
    return first_.backed_bytes() + second_.backed_bytes() + damaged_bytes_;
  }
  uint64_t capacity() const {
    return std::min(first_.backed_bytes(), second_.backed_bytes());
  }
  uint64_t longest_bytes() const {
    return std::max(first_.size_bytes(), second_.size_bytes());
  }

  // JournalFile::Reserve for both. Where it fails, one may have become longer.
  absl::Status Reserve(uint64_t bytes);
  // The slow part of it; `*files` becomes how many have the bytes, which is to
  // be noted. Thread-safe.
  absl::Status Allocate(uint64_t bytes, int* files) const;
  void RecordAllocated(uint64_t bytes, int files);

  // Whatever is not zero lies before these offsets.
  uint64_t journal_used() const {
    return exchanged_ ? second_used_ : first_used_;
  }
  uint64_t spare_used() const {
    return exchanged_ ? first_used_ : second_used_;
  }
  void set_journal_used(uint64_t bytes) {
    (exchanged_ ? second_used_ : first_used_) = bytes;
  }
  void set_spare_used(uint64_t bytes) {
    (exchanged_ ? first_used_ : second_used_) = bytes;
  }

  // Makes the spare the journal and the journal the spare, in one step.
  absl::Status Exchange();

  // The two, under the names that they have, to be ended by UnmapBatch.
  std::vector<Segment> Take();

 private:
  JournalPair(SystemCalls* calls, int directory_fd, JournalFile first,
              JournalFile second);

  SystemCalls* calls_;
  int directory_fd_;
  JournalFile first_;
  JournalFile second_;
  uint64_t first_used_;
  uint64_t second_used_;
  bool exchanged_ = false;
  // What the file kDamagedName has.
  uint64_t damaged_bytes_ = 0;
  // After KeepAside: the spare of after the exchange. The spare until then has
  // the name kDamagedName.
  std::optional<JournalFile> next_spare_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_PAIR_H_
