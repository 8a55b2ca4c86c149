// warmpoold that is killed at a chosen step: WARMPOOL_FAILPOINT=N kills it, by
// SIGKILL, just before its Nth call that changes a file of the segments or of
// the journal. Unset or 0: it is warmpoold. WARMPOOL_SABOTAGE=NAME makes it
// break a promise (sabotage.h).
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "core/memory/kernel/ending_calls.h"
#include "core/memory/kernel/system_calls.h"
#include "server/clients/peer.h"
#include "server/run_daemon.h"
#include "tests/torture/sabotage.h"

namespace warmpool {
namespace {

// Counts down, over both kinds of calls together.
class Failpoint {
 public:
  explicit Failpoint(uint64_t steps) : left_(steps) {}

  void Step() {
    uint64_t left = left_.load();
    while (left > 0 && !left_.compare_exchange_weak(left, left - 1)) {
    }
    if (left == 1) kill(getpid(), SIGKILL);
  }

 private:
  std::atomic<uint64_t> left_;
};

using torture::Sabotage;

class KilledSystemCalls final : public SystemCalls, public EndingCalls {
 public:
  KilledSystemCalls(Failpoint* failpoint, Sabotage sabotage)
      : failpoint_(*failpoint), sabotage_(sabotage) {}

  int Open(int directory_fd, const std::string& name, int flags,
           mode_t mode) override {
    if ((flags & O_CREAT) != 0) failpoint_.Step();
    return linux_.Open(directory_fd, name, flags, mode);
  }
  int Allocate(int fd, uint64_t bytes) override {
    failpoint_.Step();
    if (sabotage_ == Sabotage::kNoPages) return linux_.Resize(fd, bytes);
    return linux_.Allocate(fd, bytes);
  }
  int Resize(int fd, uint64_t bytes) override {
    failpoint_.Step();
    return linux_.Resize(fd, bytes);
  }
  int State(int fd, FileState* state) override {
    return linux_.State(fd, state);
  }
  int SetFileLease(int fd, int type, uid_t owner) override {
    const int result = linux_.SetFileLease(fd, type, owner);
    // The first refusal is wanted: by it a daemon that starts knows that the
    // filesystem tells.
    const bool lies = sabotage_ == Sabotage::kDoubleGrant &&
                      result == -EAGAIN && refusals_++ > 0;
    return lies ? 0 : result;
  }
  int FilesystemSpace(int fd, FilesystemBytes* bytes) override {
    return linux_.FilesystemSpace(fd, bytes);
  }
  int64_t Map(void* address, size_t bytes, int protection, int flags,
              int fd) override {
    return linux_.Map(address, bytes, protection, flags, fd);
  }
  int Advise(void* address, size_t bytes, int advice) override {
    return linux_.Advise(address, bytes, advice);
  }
  int Close(int fd) override { return linux_.Close(fd); }
  int64_t Read(int fd, void* data, size_t bytes, uint64_t offset) override {
    return linux_.Read(fd, data, bytes, offset);
  }
  // In two halves, so that it can be torn.
  int64_t Write(int fd, const void* data, size_t bytes,
                uint64_t offset) override {
    failpoint_.Step();
    if (sabotage_ == Sabotage::kNoJournal) return static_cast<int64_t>(bytes);
    const size_t half = bytes / 2;
    if (half == 0) return linux_.Write(fd, data, bytes, offset);
    const int64_t first = linux_.Write(fd, data, half, offset);
    if (first != static_cast<int64_t>(half)) return first;
    failpoint_.Step();
    const int64_t second = linux_.Write(
        fd, static_cast<const char*>(data) + half, bytes - half, offset + half);
    return second < 0 ? second : first + second;
  }
  int Rename(int from_directory_fd, const std::string& from,
             int to_directory_fd, const std::string& to,
             unsigned flags) override {
    failpoint_.Step();
    return linux_.Rename(from_directory_fd, from, to_directory_fd, to, flags);
  }
  int MakeDirectory(int directory_fd, const std::string& name,
                    mode_t mode) override {
    failpoint_.Step();
    return linux_.MakeDirectory(directory_fd, name, mode);
  }
  int ChangeOwner(int fd, uid_t owner) override {
    failpoint_.Step();
    return linux_.ChangeOwner(fd, owner);
  }
  int SetAcl(int fd, const std::string& acl) override {
    failpoint_.Step();
    return linux_.SetAcl(fd, acl);
  }
  int ChangeMode(int fd, mode_t mode) override {
    failpoint_.Step();
    return linux_.ChangeMode(fd, mode);
  }
  EndingCalls& Ending() override { return *this; }
  uint64_t Count(Call call) const override { return linux_.Count(call); }
  const LatencyHistogram* Latency(Call call) const override {
    return linux_.Latency(call);
  }

  int Unmap(void* address, size_t bytes) override {
    return linux_.Ending().Unmap(address, bytes);
  }
  int FreePages(const std::vector<iovec>& ranges) override {
    return linux_.Ending().FreePages(ranges);
  }
  int Unlink(int directory_fd, const std::string& name) override {
    failpoint_.Step();
    if (sabotage_ == Sabotage::kLeakedFile) return 0;
    return linux_.Ending().Unlink(directory_fd, name);
  }
  int Truncate(int fd) override {
    failpoint_.Step();
    if (sabotage_ == Sabotage::kLeakedFile) return 0;
    return linux_.Ending().Truncate(fd);
  }

 private:
  Failpoint& failpoint_;
  const Sabotage sabotage_;
  std::atomic<uint64_t> refusals_ = 0;
  LinuxSystemCalls linux_;
};

// Its processes never end: it watches this one instead.
class DeafPeerSource final : public PeerSource {
 public:
  absl::StatusOr<Credentials> CredentialsOf(int connection_fd) override {
    return kernel_.CredentialsOf(connection_fd);
  }
  absl::StatusOr<Peer> PeerOf(int connection_fd) override {
    return Deafened(kernel_.PeerOf(connection_fd));
  }
  absl::StatusOr<Peer> ProcessOf(pid_t pid) override {
    return Deafened(kernel_.ProcessOf(pid));
  }

 private:
  static absl::StatusOr<Peer> Deafened(absl::StatusOr<Peer> peer) {
    if (peer.ok()) {
      peer->pidfd =
          UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    }
    return peer;
  }

  PeerSource& kernel_ = KernelPeerSource::Get();
};

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  uint64_t steps = 0;
  if (const char* const text = std::getenv("WARMPOOL_FAILPOINT")) {
    if (!absl::SimpleAtoi(text, &steps)) return 2;
  }
  // Never destroyed: the daemon's threads use them to the end.
  auto* const failpoint = new warmpool::Failpoint(steps);
  using warmpool::torture::Sabotage;
  Sabotage sabotage = Sabotage::kNone;
  if (const char* const text = std::getenv("WARMPOOL_SABOTAGE")) {
    const auto known = warmpool::torture::SabotageNamed(text);
    if (!known.has_value()) return 2;
    sabotage = *known;
  }
  auto* const calls = new warmpool::KilledSystemCalls(
      failpoint, sabotage == Sabotage::kNoJournal ? Sabotage::kNone : sabotage);
  auto* const journal_calls = new warmpool::KilledSystemCalls(
      failpoint, sabotage == Sabotage::kNoJournal ? sabotage : Sabotage::kNone);
  auto* const peers = new warmpool::DeafPeerSource;
  return warmpool::RunDaemon(argc, argv, [=](warmpool::DaemonOptions* options) {
    options->calls = calls;
    options->journal_calls = journal_calls;
    if (sabotage == Sabotage::kDeafDaemon) options->peers = peers;
  });
}
