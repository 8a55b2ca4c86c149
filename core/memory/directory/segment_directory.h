// SegmentDirectory: the shared-memory directory of one daemon and the segment
// files in it.
//
// The directory is the daemon's alone, locked while this object lives, so that
// two daemons can't share it. Segment files have random names ending in ".seg",
// mode 0600, and are wholly allocated (fallocate) before any client learns
// their name.
//
// A daemon that serves its own uid alone has a directory of mode 0700. One that
// serves others too gives each file to its uid; the directory's mode is 0711:
// a user who knows a name can open their own file; none can list, remove or
// rename any.
//
// Segments of 2 MiB and more get huge pages where they are asked for and can be
// had (HugePages); the rest of such a segment, and every other, small ones. No
// file takes more than its bytes.
//
// As many files stay open as its DescriptorCache may have; a proof of another
// opens it by its name. None is mapped: a segment costs the daemon a descriptor
// at most.
//
// Below it lies a directory `private`, 0700: the quarantine, for segments that
// were set aside, and the place of the daemon's own files.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_DIRECTORY_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_DIRECTORY_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/random_id.h"
#include "core/memory/cgroup/memory_room.h"
#include "core/memory/directory/descriptor_cache.h"
#include "core/memory/directory/sharing.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/huge_pages.h"
#include "core/memory/segment_source.h"

namespace warmpool {

// Thread-safe.
class SegmentDirectory final : public SegmentSource {
 public:
  // Whether this process is root, and there are other uids to serve: a user
  // namespace may have its own alone (user_namespaces(7)).
  static bool MayServeOtherUids();

  struct Options {
    // Whether each segment's file is given to the uid that it serves, which
    // takes the capabilities of root; else all are the daemon's own uid's.
    bool serves_other_uids = MayServeOtherUids();
    // Besides the daemon's own: whose stray files it may end.
    absl::flat_hash_set<uid_t> served_uids = {};
    // Segments that may stay open at a time. A daemon says what RLIMIT_NOFILE
    // leaves to them (DescriptorsForSegments).
    size_t max_open_segments = std::numeric_limits<size_t>::max();
    // What the process's control groups leave to segments, to be asked before
    // one is made; it must outlive the directory. Null: they set no limit.
    MemoryRoom* memory_room = nullptr;
    HugePages::Use huge_pages = HugePages::Use::kNever;
    // Unless that is kNever: ends what HugePages mapped, through UnmapBatch.
    HugePages::EndWindow end_window = {};
    // Called with the bytes of a segment that has to do with small pages though
    // huge ones were detected, and with the reason; by the maker, under no
    // lock.
    std::function<void(uint64_t bytes, const absl::Status& reason)>
        on_small_pages = {};
  };

  // Segments of 2 MiB and more that were made since start.
  struct HugePageCounts {
    // With huge pages as far as they are whole.
    uint64_t huge_segments = 0;
    // With small ones, some or all, though huge ones were asked for.
    uint64_t small_segments = 0;
  };

  // Opens `path`, creating its last component where it is missing, locks it and
  // makes sure that the proof works there. `calls` and `random` must outlive
  // this.
  //
  // `tenant` describes this daemon to another that finds the lock taken.
  // Also sets SIGIO to be ignored in this process: the kernel sends it when
  // somebody opens a segment in the middle of a proof, and its default is
  // death.
  //
  // NOT_FOUND: the parent directory is missing. FAILED_PRECONDITION: somebody
  // else's directory, one of another mode, one that another daemon has (the
  // message says who), one that has files in it and was never Warmpool's, one
  // for whose files there is no proof (the message tells the capability that is
  // missing, or that the filesystem has no leases), or one whose files can't
  // have the huge pages that are required.
  static absl::StatusOr<std::unique_ptr<SegmentDirectory>> Open(
      const std::string& path, absl::string_view tenant, SystemCalls* calls,
      RandomSource* random, const Options& options);
  static absl::StatusOr<std::unique_ptr<SegmentDirectory>> Open(
      const std::string& path, absl::string_view tenant, SystemCalls* calls,
      RandomSource* random) {
    return Open(path, tenant, calls, random, Options());
  }

  // Unlocks. Removes the lock, and the directories if nothing else is in them.
  ~SegmentDirectory() override;

  absl::Status Make(SizeClass size_class, size_t bytes, uid_t owner,
                    Purpose purpose, Segment* segment) override;

  // By pwrite: the daemon maps no segment. Whole 2 MiB pages are cleared when
  // they are made.
  absl::Status Populate(const Segment& segment, uint64_t offset,
                        uint64_t bytes) override;

  // By fcntl(F_SETLEASE, F_WRLCK), which the kernel grants only to the one
  // opener of a file that nobody else has open or mapped; then by link count,
  // size, mode and allocated pages, of which those beyond the end are taken
  // away first: they would make up for holes in the count. A file that is not
  // open is opened for it by its name: one that is gone, or another by now, is
  // unfit, and one that can't be opened is in use. One that never could before
  // is not fit for reuse. Of a sealed one the mode is another, and its pages
  // are proven when it is unsealed.
  Verdict Prove(const Segment& segment) override;

  // Takes away the file's write permission and this daemon's own descriptor for
  // writing, and asks the kernel whether a process still has it open or mapped
  // for writing (F_SETLEASE, F_RDLCK). From then on no process can get at it
  // but for reading. FAILED_PRECONDITION: somebody has it, and it is as it was
  // before. The owning uid, and root, may give the permission back to their
  // own.
  //
  // One that is shared with others becomes this process's own file, which they
  // may read; it is unfit for reuse afterwards. FAILED_PRECONDITION: this
  // directory is for one uid.
  absl::Status Seal(Segment* segment, const Sharing& sharing = {});
  Verdict Unseal(Segment* segment) override;

  absl::Status Rename(Segment* segment) override;
  // Gives the file that name; the caller is to tell the segment of it. For one
  // that others look at: of a buffer that goes from one holder to another.
  absl::Status RenameFile(const Segment& segment, const std::string& name);

  // Renames the file into the private directory; one that is no segment gets a
  // name that tells its own.
  absl::Status SetAside(Segment* segment) override;

  // What the filesystem has, or less where the control groups leave less.
  absl::StatusOr<uint64_t> FreeBytes() override;
  absl::StatusOr<FilesystemBytes> FilesystemSpace();

  // Absolute path of the segment's file, for its holder to open.
  std::string PathOf(const Segment& segment) const;

  // Segments whose files an earlier daemon left here; those that it had set
  // aside are set aside. Each owner is its file's. One that its client keeps
  // shut (by a lease of the kernel's, by its mode) is not open.
  //
  // A regular file of a served uid that is no segment is a stray: it comes with
  // the segments, not open, and is to be set aside. Whatever else is there is
  // named in `*unknown` and left alone. Other files of the private directory
  // are the daemon's own.
  //
  // Changes nothing. Any other error than that a file is gone, such as a lack
  // of descriptors, is returned: nothing was found then.
  absl::StatusOr<std::vector<Segment>> FindLeftovers(
      const SizeClasses& size_classes, std::vector<std::string>* unknown);
  // Whether it is a file's that is no segment's.
  static bool IsStray(const Segment& found);
  // Sets the strays among them aside. Those that can't be are taken out of
  // `*leftovers`, named in `*unknown` unless they are gone, and left alone.
  void SetAsideStrays(std::vector<Segment>* leftovers,
                      std::vector<std::string>* unknown);

  HugePages::Method huge_page_method() const { return huge_pages_.method(); }
  HugePageCounts huge_page_counts() const;
  // Where huge pages are asked for and can't be had: why.
  const absl::Status& huge_page_support() const { return huge_page_support_; }

  const std::string& path() const { return path_; }
  // Of the directory for the daemon's own files. It is removed with this object
  // if it is empty then.
  int private_directory_fd() const { return private_directory_fd_; }
  // Bytes that the directory's own files take.
  uint64_t overhead_bytes() const { return overhead_bytes_; }
  // Segments that are open, of those that were made or found and not ended.
  size_t open_segments() const { return descriptors_.size(); }

 private:
  SegmentDirectory(std::string path, int directory_fd, int lock_fd,
                   int private_directory_fd, SystemCalls* calls,
                   RandomSource* random, const Options& options);

  // As whom the kernel is asked for a lease on the segment's file.
  uid_t ProverOf(const Segment& segment) const;
  absl::Status GiveAway(const Segment& segment);
  absl::Status AllocateAll(Purpose purpose, Segment* segment);
  // `filled`: what became of its huge pages. RESOURCE_EXHAUSTED: they are
  // required.
  absl::Status RecordHugePages(const absl::Status& filled, Segment* segment);
  // Notes which file the segment's descriptor is of, and hands it to the cache.
  absl::Status KeepDescriptor(Segment* segment);
  // A descriptor, or -errno. `*keep`: whether it is one for the cache.
  int OpenToProve(const Segment& segment, bool* keep);
  // What OpenToProve gave.
  void PutBack(const Segment& segment, int fd, bool keep);
  // As `open` returns. Where descriptors are lacking, the cache gives one up.
  int OpenWithRoom(absl::FunctionRef<int()> open);
  // Of a sealed segment: that all its pages are there, so that no reader meets
  // a SIGBUS. `for_others`: though its owner tries to hide that they are not.
  absl::Status CheckPages(const Segment& segment, int fd, bool for_others);
  Verdict ProveOpen(const Segment& segment, int fd);
  // The part of it that comes after nobody else can open the file.
  Verdict Inspect(const Segment& segment, int fd);
  // Moves the file: 0, or -errno.
  int Move(const Segment& segment, int directory_fd, const std::string& name);
  // Gives the file the mode, and has it open, as it is to be when it is
  // `sealed` or when it is not. After an error it is as it was.
  absl::Status KeepAs(bool sealed, const Sharing& sharing, Segment* segment);
  // Gives the file owner and permissions: 0, or -errno.
  int Permit(bool sealed, const Sharing& sharing, int fd,
             const Segment& segment);
  bool IsServed(uid_t uid) const;
  // Those of one of the two directories.
  absl::Status OpenLeftovers(const SizeClasses& size_classes, bool set_aside,
                             std::vector<Segment>* leftovers,
                             std::vector<std::string>* unknown);
  // For both: NOT_FOUND: it is gone. UNAVAILABLE: it is to be left alone.
  absl::StatusOr<Segment> OpenLeftover(const SizeClasses& size_classes,
                                       int directory_fd,
                                       const std::string& name);
  absl::StatusOr<Segment> FindStray(const SizeClasses& size_classes,
                                    int directory_fd, const std::string& name);

  static constexpr mode_t kSegmentMode = 0600;
  static constexpr mode_t kSealedMode = 0400;
  // What an access control list shows of itself in the mode.
  static constexpr mode_t kSharedMode = 0440;

  const std::string path_;
  const int directory_fd_;
  const int lock_fd_;
  const int private_directory_fd_;
  const bool serves_other_uids_;
  const absl::flat_hash_set<uid_t> served_uids_;
  const uint64_t overhead_bytes_ = kPageSize;
  SystemCalls& calls_;
  RandomSource& random_;
  DescriptorCache descriptors_;
  MemoryRoom* const memory_room_;
  const HugePages::Use use_huge_pages_;
  const std::function<void(uint64_t, const absl::Status&)> on_small_pages_;
  HugePages huge_pages_;
  absl::Status huge_page_support_;
  std::atomic<uint64_t> huge_segments_ = 0;
  std::atomic<uint64_t> small_segments_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_DIRECTORY_H_
