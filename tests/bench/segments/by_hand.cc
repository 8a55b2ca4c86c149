#include "tests/bench/segments/by_hand.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "core/memory/size_class.h"

// Debian 12's libc is older than the kernels that have it.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace warmpool::bench {
namespace {

void DieUnless(bool done, const char* what) {
  if (done) return;
  std::perror(what);
  std::exit(1);
}

}  // namespace

void Touch(std::byte* data, size_t bytes) {
  for (size_t at = 0; at < bytes; at += kPageSize) {
    *reinterpret_cast<volatile uint64_t*>(data + at) = at;
  }
}

std::string ByHand::PathIn(const std::string& directory) {
  static std::atomic<int> count = 0;
  return directory + "/by-hand-" + std::to_string(getpid()) + "-" +
         std::to_string(count++);
}

void ByHand::Make(size_t bytes, Pages pages) {
  fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  DieUnless(fd_ >= 0, path_.c_str());
  made_ = true;
  DieUnless(ftruncate(fd_, static_cast<off_t>(bytes)) == 0, "ftruncate");
  if (pages == Pages::kAsTheyCome) return Map(bytes);
  MapAligned(bytes);
  const size_t whole = bytes / kHugePageSize * kHugePageSize;
  for (size_t at = 0; at < whole; at += kHugePageSize) {
    data_[at] = std::byte{1};
  }
  DieUnless(whole == 0 || madvise(data_, whole, MADV_COLLAPSE) == 0,
            "MADV_COLLAPSE");
}

void ByHand::Attach(size_t bytes) {
  fd_ = open(path_.c_str(), O_RDWR | O_CLOEXEC);
  DieUnless(fd_ >= 0, path_.c_str());
  Map(bytes);
}

void ByHand::Map(size_t bytes) {
  reservation_ =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  DieUnless(reservation_ != MAP_FAILED, "mmap");
  reservation_bytes_ = bytes;
  data_ = static_cast<std::byte*>(reservation_);
}

void ByHand::MapAligned(size_t bytes) {
  reservation_bytes_ = bytes + kHugePageSize;
  reservation_ = mmap(nullptr, reservation_bytes_, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  DieUnless(reservation_ != MAP_FAILED, "mmap");
  const auto address = reinterpret_cast<uintptr_t>(reservation_);
  const size_t slack = -address % kHugePageSize;
  void* const mapped =
      mmap(static_cast<std::byte*>(reservation_) + slack, bytes,
           PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_, 0);
  DieUnless(mapped != MAP_FAILED, "mmap");
  data_ = static_cast<std::byte*>(mapped);
}

void ByHand::End() {
  if (fd_ < 0) return;
  if (reservation_ != nullptr) munmap(reservation_, reservation_bytes_);
  if (made_) unlink(path_.c_str());
  close(fd_);
  fd_ = -1;
  made_ = false;
  data_ = nullptr;
  reservation_ = nullptr;
}

}  // namespace warmpool::bench
