// Attacks by leases: bytes, numbers and names.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/torture/hostile/attack_session.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using testing::RawClient;

constexpr uint64_t kGiB = uint64_t{1} << 30;
// Of what its uid may have, in percent: two of them are too much.
constexpr uint64_t kGreed = 60;
constexpr int kTogether = 64;

// A lease's pages, mapped without a look at them.
class Mapping {
 public:
  explicit Mapping(const v1::GrantedLease& lease)
      : bytes_(lease.mapped_bytes()) {
    const int fd = open(lease.path().c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
  }
  ~Mapping() {
    if (data_ != MAP_FAILED) munmap(data_, bytes_);
  }
  Mapping(Mapping&& other) noexcept
      : bytes_(other.bytes_), data_(std::exchange(other.data_, MAP_FAILED)) {}

 private:
  size_t bytes_;
  void* data_ = MAP_FAILED;
};

void ReportIdle(AttackSession* session, uint64_t bytes) {
  v1::SessionRequest report;
  report.mutable_idle()->set_idle_bytes(bytes);
  report.mutable_idle()->set_idle_leases(1);
  session->Write(report);
}

}  // namespace

void ReleaseWhileMapped(Attacker* attacker) {
  RawClient client = attacker->Connect();
  const uint64_t bytes = attacker->options().limit_bytes / 100 * kGreed;
  std::vector<Mapping> mappings;
  while (!attacker->Over()) {
    const auto lease = attacker->Lease(&client, RawClient::LeaseOf(bytes));
    if (lease.has_value()) {
      mappings.emplace_back(*lease);
      v1::ReleaseResponse response;
      attacker->Call(&client, &RawClient::Stub::Release,
                     RawClient::ReleaseOf(*lease), &response);
    } else {
      absl::SleepFor(absl::Milliseconds(attacker->Draw(50)));
      mappings.clear();
    }
  }
}

void AskForMoreThanThereIs(Attacker* attacker) {
  constexpr int kRequests = 16;
  RawClient client = attacker->Connect();
  while (!attacker->Over()) {
    AttackSession session(attacker, &client);
    // Who reports something idle may be worth waiting for.
    ReportIdle(&session, 1 << 20);
    for (int i = 1; i <= kRequests; ++i) {
      if (!session.Write(LeaseManyOf(i, kTogether, kGiB))) break;
    }
    for (int i = 0; i < kRequests && session.ReadReply().has_value(); ++i) {
    }
  }
}

void DieWithThousandsOfLeases(Attacker* attacker) {
  const int count = static_cast<int>(1000 + attacker->Draw(3000));
  RawClient client = attacker->Connect();
  AttackSession session(attacker, &client);
  for (int i = 0; i < count; i += kTogether) {
    if (!session.Write(LeaseManyOf(i + 1, kTogether, 4096)) ||
        !session.ReadReply().has_value()) {
      break;
    }
  }
  kill(getpid(), SIGKILL);
}

void TakeNames(Attacker* attacker) {
  constexpr int kNames = 200;
  RawClient client = attacker->Connect();
  v1::ReleaseRequest taken;
  while (!attacker->Over()) {
    v1::LeaseRequest request = RawClient::LeaseOf(4096);
    request.set_name(absl::StrCat("taken-", attacker->Draw(kNames)));
    const auto lease = attacker->Lease(&client, request);
    if (lease.has_value()) taken.add_leases()->set_lease_id(lease->lease_id());
    if (taken.leases_size() < kNames / 2 || attacker->Chance(90)) continue;
    v1::ReleaseResponse response;
    attacker->Call(&client, &RawClient::Stub::Release, taken, &response);
    taken.clear_leases();
  }
}

}  // namespace warmpool::torture
