#include "tests/client/cache/fake_lease_source.h"

#include <stdlib.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/memory/size_class.h"
#include "gtest/gtest.h"

namespace warmpool {

namespace {

std::string MakeFile(const ScratchDirectory& directory, uint64_t bytes) {
  std::string path = directory.Join("lease-XXXXXX");
  const int fd = mkstemp(path.data());
  EXPECT_GE(fd, 0);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
  close(fd);
  return path;
}

}  // namespace

void FakeLeaseSource::set_ready(size_t count) {
  MutexLock lock(&mutex_);
  ready_ = count;
}

std::vector<std::pair<uint64_t, size_t>> FakeLeaseSource::asked_ahead() const {
  MutexLock lock(&mutex_);
  return asked_ahead_;
}

void FakeLeaseSource::set_capacity(uint64_t bytes) {
  MutexLock lock(&mutex_);
  capacity_ = bytes;
}

void FakeLeaseSource::SayEnded(const std::string& lease_id) {
  MutexLock lock(&mutex_);
  outstanding_.at(lease_id).fate->ended = true;
}

size_t FakeLeaseSource::outstanding() const {
  MutexLock lock(&mutex_);
  return outstanding_.size();
}

uint64_t FakeLeaseSource::outstanding_bytes() const {
  MutexLock lock(&mutex_);
  return BytesLocked();
}

bool FakeLeaseSource::IsOutstanding(const std::string& lease_id) const {
  MutexLock lock(&mutex_);
  return outstanding_.contains(lease_id);
}

uint64_t FakeLeaseSource::granted() const {
  MutexLock lock(&mutex_);
  return granted_;
}

std::vector<size_t> FakeLeaseSource::releases() const {
  MutexLock lock(&mutex_);
  return releases_;
}

uint64_t FakeLeaseSource::waited() const {
  MutexLock lock(&mutex_);
  return waited_;
}

std::vector<v1::IdleReport> FakeLeaseSource::reports() const {
  MutexLock lock(&mutex_);
  return reports_;
}

absl::StatusOr<HeldLease> FakeLeaseSource::Lease(v1::LeaseRequest request,
                                                 GiveBack give_back) {
  {
    MutexLock lock(&mutex_);
    absl::StatusOr<HeldLease> held = LeaseLocked(request);
    if (!absl::IsResourceExhausted(held.status())) return held;
  }
  give_back();
  MutexLock lock(&mutex_);
  return LeaseLocked(request);
}

absl::StatusOr<HeldLease> FakeLeaseSource::LeaseLocked(
    const v1::LeaseRequest& request) {
  static const SizeClasses& classes =
      *new SizeClasses(SizeClasses::kMaxMaxBytes);
  const absl::StatusOr<SizeClass> size_class =
      classes.For(request.size_bytes());
  if (!size_class.ok()) return size_class.status();
  const uint64_t bytes = classes.Bytes(*size_class);
  if (BytesLocked() + bytes > capacity_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(capacity_ - BytesLocked(), " bytes free"));
  }
  HeldLease held;
  held.granted = terms_;
  held.granted.set_lease_id(absl::StrCat("lease ", ++granted_));
  held.granted.set_generation(granted_);
  held.granted.set_buffer_name(request.name());
  held.granted.set_size_bytes(request.size_bytes());
  held.granted.set_mapped_bytes(bytes);
  held.granted.set_zeroed(request.require_zeroed());
  *held.granted.mutable_ttl() = request.ttl();
  if (held.granted.access() == v1::ACCESS_UNSPECIFIED) {
    held.granted.set_access(v1::ACCESS_SHARED_WRITABLE);
  }
  auto fate = std::make_shared<LeaseFate>();
  outstanding_[held.granted.lease_id()] = {bytes, granted_, fate};
  held.fate = std::move(fate);
  return held;
}

absl::StatusOr<HeldLease> FakeLeaseSource::Attach(v1::AttachRequest) {
  return absl::UnimplementedError("nobody attaches here");
}

absl::StatusOr<HeldLease> FakeLeaseSource::Claim(v1::ClaimRequest) {
  return absl::UnimplementedError("nobody claims here");
}

absl::Status FakeLeaseSource::Seal(const v1::GrantedLease&, v1::SealRequest) {
  return absl::UnimplementedError("nobody seals here");
}

absl::Status FakeLeaseSource::MakeTicket(const v1::GrantedLease&,
                                         v1::MakeTicketRequest) {
  return absl::UnimplementedError("nobody makes tickets here");
}

absl::Status FakeLeaseSource::TellSize(const v1::GrantedLease&, uint64_t) {
  return absl::UnimplementedError("nobody attaches here");
}

std::vector<HeldLease> FakeLeaseSource::LeaseAhead(uint64_t bytes,
                                                   size_t count) {
  std::vector<HeldLease> leases;
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  MutexLock lock(&mutex_);
  asked_ahead_.emplace_back(bytes, count);
  for (; count > 0 && ready_ > 0; --count, --ready_) {
    absl::StatusOr<HeldLease> held = LeaseLocked(request);
    if (!held.ok()) break;
    held->granted.set_path(MakeFile(files_, held->granted.mapped_bytes()));
    outstanding_.at(held->granted.lease_id()).path = held->granted.path();
    leases.push_back(*std::move(held));
  }
  return leases;
}

absl::Status FakeLeaseSource::Release(const v1::GrantedLease& lease) {
  MutexLock lock(&mutex_);
  ++waited_;
  ReleaseLocked(lease.lease_id(), lease.generation());
  releases_.push_back(1);
  return absl::OkStatus();
}

void FakeLeaseSource::ReleaseLater(const std::vector<v1::LeaseRef>& leases) {
  MutexLock lock(&mutex_);
  for (const v1::LeaseRef& lease : leases) {
    ReleaseLocked(lease.lease_id(), lease.generation());
  }
  releases_.push_back(leases.size());
}

absl::Status FakeLeaseSource::Renew(const v1::GrantedLease& lease) {
  MutexLock lock(&mutex_);
  ++renewals_;
  const auto found = outstanding_.find(lease.lease_id());
  if (found != outstanding_.end() && !found->second.fate->ended) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("the lease has ended");
}

absl::StatusOr<LeaseSource::LeasesByBuffer> FakeLeaseSource::LeasesOn(
    const std::string&) {
  return absl::UnimplementedError("nobody lists here");
}

uint64_t FakeLeaseSource::renewals() const {
  MutexLock lock(&mutex_);
  return renewals_;
}

void FakeLeaseSource::ReportIdle(const v1::IdleReport& idle) {
  MutexLock lock(&mutex_);
  reports_.push_back(idle);
}

uid_t FakeLeaseSource::daemon_uid() const { return geteuid(); }

void FakeLeaseSource::ReleaseLocked(const std::string& lease_id,
                                    uint64_t generation) {
  const auto found = outstanding_.find(lease_id);
  ASSERT_NE(found, outstanding_.end()) << lease_id << " is released twice";
  EXPECT_EQ(found->second.generation, generation);
  if (!found->second.path.empty()) unlink(found->second.path.c_str());
  outstanding_.erase(found);
  // Each is mapped after it was granted: one mapping more than leases, and one
  // was released too early.
  EXPECT_LE(calls_.live().mappings, outstanding_.size())
      << lease_id << " is released before it is unmapped";
}

uint64_t FakeLeaseSource::BytesLocked() const {
  uint64_t bytes = 0;
  for (const auto& [id, entry] : outstanding_) bytes += entry.bytes;
  return bytes;
}

}  // namespace warmpool
