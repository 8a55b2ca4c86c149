// Segment: the handle of one piece of memory of a size class: a file in the
// shared-memory directory, a private mapping, or (in a client) the mapping of
// another process's file.
//
// Move-only. Its holder must pass it on or give it to UnmapBatch: nobody else
// can end it, and destroying one that still has parts aborts, since it would
// be a leak. Not thread-safe; whoever has it owns it.
#ifndef WARMPOOL_CORE_MEMORY_SEGMENT_H_
#define WARMPOOL_CORE_MEMORY_SEGMENT_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "core/memory/size_class.h"

namespace warmpool {

class DescriptorCache;
class UnmapBatch;

class Segment {
 public:
  // What the kernel keeps for the segment, and what ending it takes apart.
  // Each part may be missing.
  struct Parts {
    // The range to unmap: the mapping, with the slack that aligned it.
    void* reservation = nullptr;
    size_t reservation_bytes = 0;
    int fd = -1;
    // Who has its file's descriptor, if it is open, and by which key; null for
    // none (borrowed, as directory_fd is).
    DescriptorCache* descriptors = nullptr;
    uint64_t descriptor_key = 0;
    // The file to unlink, by its name in an open directory (borrowed: the
    // directory's owner outlives the segment).
    std::string file_name;
    int directory_fd = -1;
    // Whether the file is where nobody but the daemon can open it.
    bool set_aside = false;
    // Whether somebody may open the file by its name though he has no lease.
    bool name_is_stale = false;
    // Which file it is that was opened: the name may lead to another by the
    // time it is opened again. 0: it was not.
    uint64_t device = 0;
    uint64_t inode = 0;
  };

  Segment() = default;
  Segment(SizeClass size_class, size_t bytes, uid_t owner)
      : size_class_(size_class), bytes_(bytes), owner_(owner) {}
  ~Segment();
  Segment(Segment&& other) noexcept;
  Segment& operator=(Segment&& other) noexcept;

  SizeClass size_class() const { return size_class_; }
  // Bytes of the segment: those of its size class.
  size_t bytes() const { return bytes_; }
  // The uid whose processes it serves.
  uid_t owner() const { return owner_; }
  // Name of its file; empty for private memory.
  const std::string& file_name() const { return parts_.file_name; }
  int fd() const { return parts_.fd; }
  // Whether its file could be opened when it was made or found.
  bool was_opened() const { return parts_.inode != 0; }
  bool set_aside() const { return parts_.set_aside; }

  // Whether somebody may have the file's name from a lease that ended without
  // his release: stopped since, he may open the file at any time. It is to have
  // another name before it is another holder's.
  bool name_is_stale() const { return parts_.name_is_stale; }
  void set_name_is_stale() { parts_.name_is_stale = true; }
  // Its file has this name from here on, which nobody was told.
  void set_file_name(std::string file_name) {
    parts_.file_name = std::move(file_name);
    parts_.name_is_stale = false;
  }

  // First byte of the mapping; null where this process does not map it.
  std::byte* data() const { return data_; }
  void set_data(std::byte* data) { data_ = data; }

  // Bytes of one of its pages.
  size_t page_bytes() const { return page_bytes_; }
  void set_page_bytes(size_t page_bytes) { page_bytes_ = page_bytes; }

  // Whether every byte still reads as zero.
  bool zeroed() const { return zeroed_; }
  void set_zeroed(bool zeroed) { zeroed_ = zeroed; }

  // Whether its file can no longer be opened for writing
  // (SegmentDirectory::Seal). May be asked while it is sealed: a proof of a
  // leased segment may be under way.
  bool sealed() const { return sealed_.load(std::memory_order_relaxed); }
  void set_sealed(bool sealed) {
    sealed_.store(sealed, std::memory_order_relaxed);
  }

  // Its user's own, to know it by. Goes with the handle, and outlives its end.
  uint64_t tag() const { return tag_; }
  void set_tag(uint64_t tag) { tag_ = tag; }

  // For those that make segments.
  Parts& parts() { return parts_; }
  const Parts& parts() const { return parts_; }

  // Whether there is nothing to end.
  bool empty() const;

 private:
  friend class UnmapBatch;

  // Leaves the segment empty.
  Parts TakeParts();

  SizeClass size_class_;
  size_t bytes_ = 0;
  uid_t owner_ = 0;
  std::byte* data_ = nullptr;
  size_t page_bytes_ = kPageSize;
  bool zeroed_ = false;
  std::atomic<bool> sealed_ = false;
  uint64_t tag_ = 0;
  // Whether UnmapBatch may take the pages away whoever else knows the file.
  bool proven_unused_ = false;
  Parts parts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_SEGMENT_H_
