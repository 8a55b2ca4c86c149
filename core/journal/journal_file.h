// JournalFile: one of a journal's two files, open, with all its pages there.
//
// Its bytes are read and written with pread(2) and pwrite(2): a mapping would
// be a SIGBUS once another process of the uid truncated the file. The page
// cache survives the daemon, and a tmpfs has nothing else, so nothing is
// synced.
#ifndef WARMPOOL_CORE_JOURNAL_JOURNAL_FILE_H_
#define WARMPOOL_CORE_JOURNAL_JOURNAL_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

// Move-only. Externally synchronised, except for Allocate and Write.
class JournalFile {
 public:
  // No file grows beyond, and of a longer one no more is read.
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 30;

  // Opens the file where it is there; else it is empty until it is made.
  // `calls` and the directory must outlive it.
  static absl::StatusOr<JournalFile> Open(SystemCalls* calls, int directory_fd,
                                          const std::string& name);
  // Makes it where it is missing. REQUIRES: the name that it was opened by.
  absl::Status MakeIfMissing(const std::string& name);
  JournalFile(JournalFile&& other) noexcept;
  JournalFile& operator=(JournalFile&& other) noexcept;
  // Closes; the file stays.
  ~JournalFile();

  // Its length, up to kMaxBytes.
  uint64_t size_bytes() const { return size_bytes_; }
  // From the front, so many bytes are known to have their pages.
  uint64_t backed_bytes() const { return backed_bytes_; }

  // Makes backed_bytes() at least `bytes`. What is added is zero.
  // RESOURCE_EXHAUSTED, naming bytes: no room, or above kMaxBytes; the file is
  // then as it was. REQUIRES, as for whatever writes: the file was made.
  absl::Status Reserve(uint64_t bytes);
  // The slow part of it, which leaves backed_bytes() to RecordAllocated.
  // Thread-safe.
  absl::Status Allocate(uint64_t bytes) const;
  void RecordAllocated(uint64_t bytes);

  absl::StatusOr<std::string> ReadAll();
  // Part of the bytes may have been written where it fails. Thread-safe.
  // REQUIRES: within backed_bytes().
  absl::Status Write(uint64_t offset, absl::string_view bytes) const;
  absl::Status WriteZeros(uint64_t begin, uint64_t end) const;

  // The file under its name `name` of by now, to be ended by UnmapBatch.
  Segment Take(const std::string& name);

 private:
  JournalFile(SystemCalls* calls, int directory_fd)
      : calls_(calls), directory_fd_(directory_fd) {}

  absl::Status OpenBy(const std::string& name, int flags);
  absl::Status TakeSizes();
  void Close();

  SystemCalls* calls_;
  int directory_fd_;
  // -1: there is no file.
  int fd_ = -1;
  uint64_t size_bytes_ = 0;
  uint64_t backed_bytes_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_JOURNAL_JOURNAL_FILE_H_
