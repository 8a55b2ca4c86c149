// Attacks by files: what the owner of a segment's file can do to it, and
// whether another uid can do any of that.
//
// Nobody can rename a segment's file or remove it: the directory is root's. Its
// owner can make it grow as long as he has it, which the daemon does not
// prevent: it takes room from the filesystem that no lease can have then. Here
// it grows by less than the filesystem has besides the pool's capacity.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/random_id.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using testing::RawClient;

constexpr off_t kPage = 4096;
constexpr off_t kGrowth = 1 << 20;

// A leased file and what its owner knows of it.
struct OwnFile {
  const v1::GrantedLease& lease;
  int fd;
  off_t bytes() const { return static_cast<off_t>(lease.mapped_bytes()); }
};

void PunchHole(Attacker* attacker, const OwnFile& file) {
  const off_t pages = file.bytes() / kPage;
  const off_t page = static_cast<off_t>(attacker->Draw(pages));
  (void)!fallocate(file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   page * kPage, kPage);
}

// Pages beyond the end make up for it in the file's count.
void HideHole(Attacker* attacker, const OwnFile& file) {
  PunchHole(attacker, file);
  (void)!fallocate(file.fd, FALLOC_FL_KEEP_SIZE, file.bytes(), kPage);
}

void GrowBeyondTheEnd(Attacker*, const OwnFile& file) {
  (void)!fallocate(file.fd, FALLOC_FL_KEEP_SIZE, file.bytes(), kGrowth);
}

void Shorten(Attacker* attacker, const OwnFile& file) {
  (void)!ftruncate(file.fd, static_cast<off_t>(attacker->Draw(file.bytes())));
}

void Extend(Attacker*, const OwnFile& file) {
  (void)!ftruncate(file.fd, file.bytes() + kGrowth);
}

void ChangeMode(Attacker* attacker, const OwnFile& file) {
  constexpr mode_t kModes[] = {0, 0400, 0444, 0666, 0777};
  (void)!fchmod(file.fd, kModes[attacker->Draw(std::size(kModes))]);
}

void Link(Attacker* attacker, const OwnFile& file) {
  const std::string name = absl::StrCat(attacker->options().directory, "/",
                                        KernelRandom::Get().Next().ToHex());
  if (link(file.lease.path().c_str(), name.c_str()) == 0 &&
      attacker->Chance(90)) {
    unlink(name.c_str());
  }
}

// Whoever opens it from here on would have to wait. Its break is not heeded.
void TakeKernelLease(Attacker*, const OwnFile& file) {
  signal(SIGIO, SIG_IGN);
  fcntl(file.fd, F_SETLEASE, F_WRLCK);
}

void LeaveAsItIs(Attacker*, const OwnFile&) {}

constexpr void (*kSpoilings[])(Attacker*, const OwnFile&) = {
    PunchHole,  HideHole, GrowBeyondTheEnd, Shorten,    Extend,
    ChangeMode, Link,     TakeKernelLease,  LeaveAsItIs};

void Seal(Attacker* attacker, RawClient* client,
          const v1::GrantedLease& lease) {
  v1::SealRequest request;
  request.mutable_lease()->set_lease_id(lease.lease_id());
  if (attacker->Chance(50)) {
    request.add_share_with_uids(attacker->options().other_uid);
  }
  v1::SealResponse response;
  attacker->Call(client, &RawClient::Stub::Seal, request, &response);
}

// What was a lease's pages, from which it should have let go.
void WriteLate(const OwnFile& file) {
  char bytes[kPage];
  std::memset(bytes, 0xff, sizeof(bytes));
  (void)!pwrite(file.fd, bytes, sizeof(bytes), 0);
}

void SpoilOne(Attacker* attacker, RawClient* client, uint64_t bytes) {
  const auto lease = attacker->Lease(client, RawClient::LeaseOf(bytes));
  if (!lease.has_value()) return;
  const OwnFile file = {*lease,
                        open(lease->path().c_str(), O_RDWR | O_CLOEXEC)};
  if (file.fd < 0) return;
  for (size_t i = 0; i <= attacker->Draw(3); ++i) {
    kSpoilings[attacker->Draw(std::size(kSpoilings))](attacker, file);
  }
  const bool keep = attacker->Chance(50);
  if (!keep) close(file.fd);
  if (attacker->Chance(30)) Seal(attacker, client, *lease);
  v1::ReleaseResponse response;
  attacker->Call(client, &RawClient::Stub::Release,
                 RawClient::ReleaseOf(*lease), &response);
  if (!keep) return;
  WriteLate(file);
  absl::SleepFor(absl::Milliseconds(attacker->Draw(30)));
  WriteLate(file);
  close(file.fd);
}

// Tells of a call that succeeded, or failed with another error than these.
void MustBeForbidden(Attacker* attacker, const char* call,
                     const std::string& path, int result) {
  const int error = errno;
  attacker->Count(result < 0 ? 1 : 0);
  // Of those that the other does not hold, some are gone by now.
  if (result < 0 && (error == EACCES || error == EPERM || error == ENOENT)) {
    return;
  }
  attacker->FoundBreach(absl::StrCat(
      call, " of another uid's file ", path,
      result < 0 ? absl::StrCat(" fails with ", std::strerror(error))
                 : std::string(" succeeds")));
}

void TouchFile(Attacker* attacker, const std::string& path) {
  const char* const name = path.c_str();
  const std::string own = absl::StrCat(attacker->options().directory, "/link");
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_TRUNC}) {
    const int fd = open(name, flags | O_CLOEXEC);
    MustBeForbidden(attacker, "open", path, fd);
    if (fd < 0) continue;
    void* const mapped = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 0);
    MustBeForbidden(attacker, "mmap", path, mapped == MAP_FAILED ? -1 : 0);
    close(fd);
  }
  MustBeForbidden(attacker, "truncate", path, truncate(name, 0));
  MustBeForbidden(attacker, "chmod", path, chmod(name, 0666));
  MustBeForbidden(attacker, "link", path, link(name, own.c_str()));
  MustBeForbidden(attacker, "rename", path, rename(name, own.c_str()));
  MustBeForbidden(attacker, "unlink", path, unlink(name));
}

}  // namespace

void SpoilOwnFiles(Attacker* attacker) {
  constexpr uint64_t kSizes[] = {4096, 64 << 10, 1 << 20, 4 << 20};
  RawClient client = attacker->Connect();
  while (!attacker->Over()) {
    SpoilOne(attacker, &client, kSizes[attacker->Draw(std::size(kSizes))]);
  }
}

void TouchFilesOfOthers(Attacker* attacker) {
  while (!attacker->Over()) {
    for (const std::string& path : attacker->options().files_of_others) {
      TouchFile(attacker, path);
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
}

}  // namespace warmpool::torture
