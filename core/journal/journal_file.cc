#include "core/journal/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/kernel/file_size_limit.h"
#include "core/memory/kernel/filesystem_room.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/size_class.h"

namespace warmpool {
namespace {

constexpr char kZeros[64 * 1024] = {};

absl::Status Failed(int result, absl::string_view what) {
  return absl::ErrnoToStatus(-result,
                             absl::StrCat("can't ", what, " the journal"));
}

}  // namespace

absl::StatusOr<JournalFile> JournalFile::Open(SystemCalls* calls,
                                              int directory_fd,
                                              const std::string& name) {
  JournalFile file(calls, directory_fd);
  absl::Status status = file.OpenBy(name, O_RDWR);
  if (!status.ok() && !absl::IsNotFound(status)) return status;
  return file;
}

absl::Status JournalFile::MakeIfMissing(const std::string& name) {
  return fd_ >= 0 ? absl::OkStatus() : OpenBy(name, O_RDWR | O_CREAT);
}

absl::Status JournalFile::OpenBy(const std::string& name, int flags) {
  const int fd = RetryOnInterrupt(
      [&] { return calls_->Open(directory_fd_, name, flags, 0600); });
  if (fd < 0) {
    return FileError(*calls_, directory_fd_, -fd,
                     absl::StrCat("can't open or make ", name));
  }
  fd_ = fd;
  return TakeSizes();
}

JournalFile::JournalFile(JournalFile&& other) noexcept
    : calls_(other.calls_),
      directory_fd_(other.directory_fd_),
      fd_(std::exchange(other.fd_, -1)),
      size_bytes_(other.size_bytes_),
      backed_bytes_(other.backed_bytes_) {}

JournalFile& JournalFile::operator=(JournalFile&& other) noexcept {
  if (this == &other) return *this;
  Close();
  calls_ = other.calls_;
  directory_fd_ = other.directory_fd_;
  fd_ = std::exchange(other.fd_, -1);
  size_bytes_ = other.size_bytes_;
  backed_bytes_ = other.backed_bytes_;
  return *this;
}

JournalFile::~JournalFile() { Close(); }

void JournalFile::Close() {
  if (fd_ >= 0) calls_->Close(std::exchange(fd_, -1));
}

absl::Status JournalFile::TakeSizes() {
  FileState state;
  const int result =
      RetryOnInterrupt([&] { return calls_->State(fd_, &state); });
  if (result < 0) return Failed(result, "stat");
  size_bytes_ = std::min(state.size_bytes, kMaxBytes);
  // Where the hole is in a file that has one is not known.
  const bool whole = state.allocated_bytes >= state.size_bytes;
  backed_bytes_ = whole ? size_bytes_ : 0;
  return absl::OkStatus();
}

absl::Status JournalFile::Reserve(uint64_t bytes) {
  if (bytes <= backed_bytes_) return absl::OkStatus();
  absl::Status allocated = Allocate(bytes);
  if (allocated.ok()) RecordAllocated(bytes);
  return allocated;
}

absl::Status JournalFile::Allocate(uint64_t bytes) const {
  if (bytes > kMaxBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("a journal of ", bytes, " bytes is too long, at most ",
                     kMaxBytes, " are allowed: end leases that are not used"));
  }
  const int result =
      RetryOnInterrupt([&] { return calls_->Allocate(fd_, bytes); });
  if (result == -ENOSPC) {
    FilesystemBytes space;
    const int known =
        RetryOnInterrupt([&] { return calls_->FilesystemSpace(fd_, &space); });
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for a journal of ", bytes, " bytes beside the segments",
        known < 0 ? "" : absl::StrCat(": ", space.free, " bytes free"),
        ": remove files there, or mount it larger"));
  }
  if (result == -EFBIG) {
    return FileTooLarge(
        absl::StrCat("can't allocate ", bytes, " bytes for the journal"));
  }
  if (result < 0) {
    return Failed(result, absl::StrCat("allocate ", bytes, " bytes for"));
  }
  return absl::OkStatus();
}

void JournalFile::RecordAllocated(uint64_t bytes) {
  backed_bytes_ = std::max(backed_bytes_, bytes);
  size_bytes_ = std::max(size_bytes_, bytes);
}

absl::StatusOr<std::string> JournalFile::ReadAll() {
  std::string bytes(size_bytes_, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const int64_t result = RetryOnInterrupt([&] {
      return calls_->Read(fd_, bytes.data() + done, bytes.size() - done, done);
    });
    if (result < 0) return Failed(static_cast<int>(result), "read");
    if (result == 0) break;
    done += static_cast<size_t>(result);
  }
  bytes.resize(done);
  return bytes;
}

absl::Status JournalFile::Write(uint64_t offset,
                                absl::string_view bytes) const {
  while (!bytes.empty()) {
    const int64_t result = RetryOnInterrupt(
        [&] { return calls_->Write(fd_, bytes.data(), bytes.size(), offset); });
    if (result < 0) return Failed(static_cast<int>(result), "write");
    // pwrite(2) of a regular file makes progress or fails.
    if (result == 0) return Failed(-EIO, "write");
    bytes.remove_prefix(static_cast<size_t>(result));
    offset += static_cast<uint64_t>(result);
  }
  return absl::OkStatus();
}

absl::Status JournalFile::WriteZeros(uint64_t begin, uint64_t end) const {
  while (begin < end) {
    const uint64_t count = std::min<uint64_t>(end - begin, sizeof(kZeros));
    RETURN_IF_ERROR(Write(begin, absl::string_view(kZeros, count)));
    begin += count;
  }
  return absl::OkStatus();
}

Segment JournalFile::Take(const std::string& name) {
  Segment segment(SizeClass(), size_bytes_, geteuid());
  segment.parts().fd = std::exchange(fd_, -1);
  segment.parts().file_name = name;
  segment.parts().directory_fd = directory_fd_;
  return segment;
}

}  // namespace warmpool
