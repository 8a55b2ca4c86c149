#include "client/cli/doctor/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/directory/proof_check.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool::doctor {
namespace {

// As SegmentDirectory proves that it may serve others.
constexpr uid_t kSomeOtherUid = 65534;

// Beside the directory, where that is the same filesystem: nobody takes the
// scratch for a stray of its own.
std::string PlaceFor(const DirectoryReadings& directory,
                     const std::string& shm_dir) {
  struct stat itself, parent;
  const bool mounted_there = directory.exists &&
                             stat(shm_dir.c_str(), &itself) == 0 &&
                             stat(directory.parent.c_str(), &parent) == 0 &&
                             itself.st_dev != parent.st_dev;
  return mounted_there ? shm_dir : directory.parent;
}

void TryIn(int fd, const std::string& path, TrialReadings* readings) {
  LinuxSystemCalls calls;
  {
    HugePages huge_pages(&calls, [&calls](Segment window) {
      UnmapBatch(&calls, {UnmapBatch::Drain::kInline})
          .Detach(std::move(window));
    });
    const absl::Status detected = huge_pages.Detect(fd);
    readings->huge_pages =
        detected.ok() ? absl::StatusOr<HugePages::Method>(huge_pages.method())
                      : detected;
  }
  // The kernel sends it in the midst of a proof; its default is death.
  signal(SIGIO, SIG_IGN);
  readings->proof = CheckProof(calls, fd, path, geteuid());
  readings->may_serve_others = SegmentDirectory::MayServeOtherUids();
  if (readings->may_serve_others) {
    readings->proof_for_others = CheckProof(calls, fd, path, kSomeOtherUid);
  }
}

Check CheckHugePages(const TrialReadings& readings) {
  constexpr char kName[] = "huge_pages";
  if (!readings.huge_pages.ok()) {
    return Warn(kName, std::string(readings.huge_pages.status().message()),
                "what the reason says; buffers have pages of 4 KiB until then");
  }
  return Ok(kName, *readings.huge_pages == HugePages::Method::kMount
                       ? "2 MiB, the mount gives them"
                       : "2 MiB, made by MADV_COLLAPSE");
}

Check CheckProofs(const TrialReadings& readings) {
  constexpr char kName[] = "proof";
  if (!readings.proof.ok()) {
    return Fail(kName, std::string(readings.proof.message()),
                "--shm_dir= on a tmpfs, such as one below /dev/shm");
  }
  if (!readings.may_serve_others) {
    return Ok(kName, "the kernel tells who has a file open or mapped");
  }
  if (!readings.proof_for_others.ok()) {
    return Warn(kName,
                absl::StrCat("only for root's own buffers: ",
                             readings.proof_for_others.message()),
                "CapabilityBoundingSet= in the unit, or docker run --cap-add=; "
                "without it, no --allow_uid");
  }
  return Ok(kName,
            "the kernel tells who has a file open or mapped, of any user");
}

}  // namespace

TrialReadings Try(const DirectoryReadings& directory,
                  const std::string& shm_dir) {
  TrialReadings readings;
  std::string path =
      absl::StrCat(PlaceFor(directory, shm_dir), "/warmpool-doctor-XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    readings.place = absl::ErrnoToStatus(
        errno, absl::StrCat("can't make a scratch directory in ",
                            PlaceFor(directory, shm_dir)));
    return readings;
  }
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    readings.place =
        absl::ErrnoToStatus(errno, absl::StrCat("can't open ", path));
  } else {
    TryIn(fd, path, &readings);
    close(fd);
  }
  rmdir(path.c_str());
  return readings;
}

Checks CheckTrial(const TrialReadings& readings) {
  if (!readings.place.ok()) {
    const Check untried = Warn(
        "huge_pages", absl::StrCat("not tried: ", readings.place.message()),
        "run this as the daemon's user, or as root");
    Check unproven = untried;
    unproven.name = "proof";
    return {untried, unproven};
  }
  return {CheckHugePages(readings), CheckProofs(readings)};
}

}  // namespace warmpool::doctor
