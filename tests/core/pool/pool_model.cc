#include "tests/core/pool/pool_model.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "gmock/gmock.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AnyOf;

constexpr uint64_t kCapacity = kMiB;
constexpr size_t kMaxBytes = 512 * kKiB;
// More than the capacity has room for.
constexpr size_t kManySegments = 1'000'000;

std::string FileNameOf(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// What a client writes first into its buffer, and expects to find there.
void WriteMark(const std::string& path, uint64_t mark) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  EXPECT_EQ(pwrite(fd, &mark, sizeof(mark), 0), ssize_t{sizeof(mark)});
  close(fd);
}

void ExpectMark(const std::string& path, uint64_t mark) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0) << path;
  uint64_t read = 0;
  EXPECT_EQ(pread(fd, &read, sizeof(read), 0), ssize_t{sizeof(read)});
  EXPECT_EQ(read, mark) << "somebody else wrote into a leased buffer";
  close(fd);
}

void ExpectAllZero(const std::string& path, uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::string content(bytes, 'x');
  EXPECT_EQ(pread(fd, content.data(), bytes, 0), ssize_t(bytes));
  EXPECT_EQ(content.find_first_not_of('\0'), std::string::npos);
  close(fd);
}

}  // namespace

PoolModel::PoolModel(uint64_t seed)
    : random_(seed),
      ids_(seed),
      max_open_segments_(Chance(50) ? Random(6) : kManySegments),
      directory_(SegmentDirectory::Open(
                     scratch_.Join("pool"), "a model", &calls_, &ids_,
                     {.max_open_segments = max_open_segments_})
                     .value()),
      tampers_(Chance(50)),
      options_(RandomOptions()),
      pool_(std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &ids_,
                                   options_)) {
  for (int i = 0; i < 3; ++i) AddHolder();
}

PoolModel::~PoolModel() {
  for (const int fd : kept_) close(fd);
}

Pool::Options PoolModel::RandomOptions() {
  Pool::Options options;
  options.default_ttl = absl::Seconds(5);
  options.max_ttl = absl::Seconds(20);
  options.on_revoked = [this](const RevokedLease& lease) {
    told_.insert(lease.id);
  };
  SegmentPool::Options& segments = options.segments;
  segments.capacity_bytes = kCapacity;
  segments.max_segment_bytes = kMaxBytes;
  segments.overhead_bytes = directory_->overhead_bytes();
  segments.bigcache.slots = Random(4);
  if (Chance(25)) segments.bigcache.slots = std::nullopt;
  if (Chance(25)) segments.bigcache.max_bytes = 256 * kKiB;
  segments.bigcache.decay =
      Chance(25) ? absl::InfiniteDuration() : absl::Seconds(10);
  // Ended by their adders, so that each step's effect can be counted.
  segments.batch.drain = UnmapBatch::Drain::kInline;
  segments.batch.threshold_bytes = Random(3) * 256 * kKiB;
  if (Chance(50)) segments.batch.max_age = absl::Seconds(1);
  if (Chance(50)) segments.prove_within = absl::Milliseconds(20);
  return options;
}

RequestedTtl PoolModel::RandomTtl() {
  switch (Random(4)) {
    case 0: return std::nullopt;
    case 1: return absl::ZeroDuration();
    default: return absl::Seconds(1 + Random(30));
  }
}

LeaseId PoolModel::RandomLease() {
  if (!ended_.empty() && Chance(15)) return RandomIn(ended_)->first;
  if (leases_.empty() || Chance(5)) return ids_.Next();
  return RandomIn(leases_)->first;
}

HolderId PoolModel::RandomHolder() {
  // At times one that is not there, or not any more.
  if (holders_.empty() || Chance(3)) return Random(next_holder_ + 2);
  return RandomIn(holders_)->first;
}

uint64_t PoolModel::LeasedBytes() const {
  uint64_t bytes = 0;
  for (const auto& [key, buffer] : buffers_) bytes += buffer.segment_bytes;
  return bytes;
}

void PoolModel::InjectFaults() {
  constexpr Call kKinds[] = {Call::kOpen,  Call::kFallocate, Call::kFstat,
                             Call::kFcntl, Call::kFstatfs,   Call::kChown,
                             Call::kRename};
  constexpr int kErrors[] = {ENOSPC, EMFILE, EINTR, ENOMEM, EIO};
  for (uint64_t i = 0; i <= Random(2); ++i) {
    calls_.FailNth(kKinds[Random(7)], 1 + Random(2), kErrors[Random(5)],
                   1 + Random(3));
  }
}

void PoolModel::Step() {
  if (Chance(20)) InjectFaults();
  const uint64_t choice = Random(100);
  if (choice < 35) LeaseOne();
  else if (choice < 43) AttachOne();
  else if (choice < 47) RepeatOne();
  else if (choice < 70) ReleaseSome();
  else if (choice < 75) RenewOne();
  else if (choice < 85) AdvanceAndTick();
  else if (choice < 88) AddHolder();
  else if (choice < 90) KillHolder();
  else if (choice < 94) KeepOne();
  else if (choice < 98) StopKeeping();
  else TamperWithOne();
  calls_.StopFailing();
}

void PoolModel::LeaseOne() {
  LeaseRequest request;
  request.request_id = ids_.Next();
  request.bytes = Chance(3) ? 0
                  : Chance(3) ? kMaxBytes + 1 + Random(kGiB)
                              : 1 + Random(Chance(50) ? 64 * kKiB : kMaxBytes);
  if (Chance(50)) request.name = RandomName();
  request.ttl = RandomTtl();
  request.require_zeroed = Chance(15);
  const HolderId id = RandomHolder();

  const uint64_t faults = calls_.faults();
  const uint64_t taken = LeasedBytes() + options_.segments.overhead_bytes +
                         pool_->stats().segments.ledger.in(
                             ByteState::kQuarantined);
  const absl::StatusOr<LeaseGrant> grant = pool_->Lease(id, request);

  const auto holder = holders_.find(id);
  if (holder == holders_.end()) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kUnavailable));
    return;
  }
  if (request.name.has_value() &&
      buffers_.contains({holder->second.uid, *request.name})) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kAlreadyExists));
    return;
  }
  const SizeClasses classes(kMaxBytes);
  const absl::StatusOr<SizeClass> size_class = classes.For(request.bytes);
  if (!size_class.ok()) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kInvalidArgument));
    return;
  }
  if (taken + classes.Bytes(*size_class) > kCapacity) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kResourceExhausted));
    return;
  }
  // There is room, unless the kernel failed, or somebody still has what was to
  // make room.
  if (calls_.faults() == faults && kept_.empty()) {
    ASSERT_THAT(grant, IsOk());
  }
  if (grant.ok()) ExpectGranted(id, request, *grant);
}

void PoolModel::ExpectGranted(HolderId holder, const LeaseRequest& request,
                              const LeaseGrant& grant) {
  EXPECT_EQ(grant.bytes, request.bytes);
  EXPECT_GE(grant.segment_bytes, request.bytes);
  if (request.name.has_value()) {
    EXPECT_EQ(grant.buffer_name, *request.name);
  }
  if (request.require_zeroed) {
    EXPECT_TRUE(grant.zeroed);
  }
  struct stat granted;
  ASSERT_EQ(stat(grant.path.c_str(), &granted), 0) << grant.path;
  for (const int fd : kept_) {
    struct stat kept;
    ASSERT_EQ(fstat(fd, &kept), 0);
    EXPECT_NE(kept.st_ino, granted.st_ino)
        << "granted while somebody had it open";
  }
  EXPECT_FALSE(stale_paths_.contains(grant.path))
      << "granted by a path that somebody has who was not heard of";
  for (const auto& [key, buffer] : buffers_) {
    EXPECT_NE(buffer.path, grant.path) << "granted twice";
    EXPECT_LT(buffer.generation, grant.generation);
  }
  if (grant.zeroed) ExpectAllZero(grant.path, grant.segment_bytes);
  WriteMark(grant.path, grant.generation);

  const BufferKey key(holders_.at(holder).uid, grant.buffer_name);
  EXPECT_FALSE(buffers_.contains(key));
  buffers_[key] = {grant.path, grant.bytes, grant.segment_bytes,
                   grant.generation, {grant.id}, false};
  leases_[grant.id] = {holder, key, grant.generation,
                       grant.ttl == absl::ZeroDuration()
                           ? absl::InfiniteFuture()
                           : clock_.Now() + grant.ttl};
  answered_.push_back({holder, request, grant.id});
}

void PoolModel::AttachOne() {
  AttachRequest request;
  request.request_id = ids_.Next();
  request.name = RandomName();
  request.ttl = RandomTtl();
  request.access = Access::kSharedWritable;
  const HolderId id = RandomHolder();
  const absl::StatusOr<LeaseGrant> grant = pool_->Attach(id, request);
  const auto holder = holders_.find(id);
  if (holder == holders_.end()) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kUnavailable));
    return;
  }
  const BufferKey key(holder->second.uid, request.name);
  const auto buffer = buffers_.find(key);
  if (buffer == buffers_.end()) {
    EXPECT_THAT(grant, StatusIs(absl::StatusCode::kNotFound));
    return;
  }
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ(grant->path, buffer->second.path);
  EXPECT_EQ(grant->generation, buffer->second.generation);
  EXPECT_FALSE(grant->zeroed);
  buffer->second.leases.insert(grant->id);
  leases_[grant->id] = {id, key, grant->generation,
                        grant->ttl == absl::ZeroDuration()
                            ? absl::InfiniteFuture()
                            : clock_.Now() + grant->ttl};
}

void PoolModel::RepeatOne() {
  if (answered_.empty()) return;
  const Answered& answered = answered_[Random(answered_.size())];
  const absl::StatusOr<LeaseGrant> again =
      pool_->Lease(answered.holder, answered.request);
  if (!holders_.contains(answered.holder)) {
    EXPECT_THAT(again, StatusIs(absl::StatusCode::kUnavailable));
  } else if (leases_.contains(answered.lease)) {
    ASSERT_THAT(again, IsOk());
    EXPECT_EQ(again->id, answered.lease);
  } else {
    EXPECT_THAT(again, StatusIs(absl::StatusCode::kFailedPrecondition));
  }
}

absl::StatusCode PoolModel::ExpectedCodeOf(HolderId holder,
                                           const LeaseRef& ref,
                                           bool as_admin) const {
  const auto lease = leases_.find(ref.id);
  const auto ended = ended_.find(ref.id);
  if (lease == leases_.end() && ended == ended_.end()) {
    return absl::StatusCode::kNotFound;
  }
  const HolderId owner = lease != leases_.end() ? lease->second.holder
                                                : ended->second.holder;
  if (owner != holder && !as_admin) return absl::StatusCode::kPermissionDenied;
  if (lease == leases_.end()) {
    return ended->second.cause == EndCause::kReleased
               ? absl::StatusCode::kOk
               : absl::StatusCode::kFailedPrecondition;
  }
  return ref.generation == 0 || ref.generation == lease->second.generation
             ? absl::StatusCode::kOk
             : absl::StatusCode::kFailedPrecondition;
}

void PoolModel::ReleaseSome() {
  std::vector<LeaseRef> refs;
  for (uint64_t i = 0; i <= (Chance(30) ? Random(6) : 0); ++i) {
    refs.push_back({RandomLease(), Chance(5) ? Random(100) : 0});
  }
  // Mostly the holder of the first.
  const auto first = leases_.find(refs[0].id);
  const HolderId holder = first != leases_.end() && Chance(90)
                              ? first->second.holder
                              : RandomHolder();
  const bool revoke = Chance(10);
  const auto caller = holders_.find(holder);
  const bool admin = caller != holders_.end() && caller->second.admin;

  const std::vector<absl::Status> statuses =
      pool_->Release(holder, refs, revoke);
  ASSERT_EQ(statuses.size(), refs.size());
  for (size_t i = 0; i < refs.size(); ++i) {
    const absl::StatusCode expected =
        revoke && !admin ? absl::StatusCode::kPermissionDenied
                         : ExpectedCodeOf(holder, refs[i], revoke);
    EXPECT_THAT(statuses[i], StatusIs(expected)) << "item " << i;
    const auto lease = leases_.find(refs[i].id);
    if (expected != absl::StatusCode::kOk || lease == leases_.end()) continue;
    EndLease(refs[i].id, lease->second.holder == holder ? EndCause::kReleased
                                                        : EndCause::kRevoked);
  }
}

void PoolModel::EndLease(const LeaseId& id, EndCause cause) {
  const Lease lease = leases_.at(id);
  leases_.erase(id);
  ended_[id] = {lease.holder, cause, holders_.at(lease.holder).uid};
  if (cause == EndCause::kExpired || cause == EndCause::kRevoked) {
    to_be_told_.insert(id);
  }
  Buffer& buffer = buffers_.at(lease.buffer);
  if (cause != EndCause::kReleased) stale_paths_.insert(buffer.path);
  buffer.leases.erase(id);
  if (buffer.leases.empty()) buffers_.erase(lease.buffer);
}

void PoolModel::RenewOne() {
  const LeaseRef ref = {RandomLease(), Chance(5) ? Random(100) : 0};
  const auto lease = leases_.find(ref.id);
  const HolderId holder = lease != leases_.end() && Chance(90)
                              ? lease->second.holder
                              : RandomHolder();
  const RequestedTtl ttl = RandomTtl();
  const absl::StatusOr<absl::Duration> granted =
      pool_->Renew(holder, ref, ttl);
  absl::StatusCode expected = ExpectedCodeOf(holder, ref, /*as_admin=*/false);
  // What was released can be released again, but not renewed.
  if (expected == absl::StatusCode::kOk && lease == leases_.end()) {
    expected = absl::StatusCode::kFailedPrecondition;
  }
  ASSERT_THAT(granted, StatusIs(expected));
  if (!granted.ok()) return;
  EXPECT_EQ(*granted,
            std::min(ttl.value_or(options_.default_ttl), options_.max_ttl));
  lease->second.expires_at = *granted == absl::ZeroDuration()
                                 ? absl::InfiniteFuture()
                                 : clock_.Now() + *granted;
}

void PoolModel::AdvanceAndTick() {
  clock_.Advance(absl::Milliseconds(1 << Random(13)));
  if (Chance(10)) {
    expiry_pause_end_ = clock_.Now() + absl::Seconds(3);
    pool_->PostponeExpiry(expiry_pause_end_);
  }
  const absl::Time next = pool_->Tick();
  std::vector<LeaseId> expired;
  absl::Time next_expiry = absl::InfiniteFuture();
  for (const auto& [id, lease] : leases_) {
    const absl::Time ends_at = std::max(lease.expires_at, expiry_pause_end_);
    if (ends_at <= clock_.Now()) {
      expired.push_back(id);
    } else {
      next_expiry = std::min(next_expiry, ends_at);
    }
  }
  for (const LeaseId& id : expired) EndLease(id, EndCause::kExpired);
  EXPECT_LE(next, next_expiry);
  EXPECT_GT(next, clock_.Now()) << "a tick that leaves something due";
}

void PoolModel::AddHolder() {
  if (holders_.size() >= 6) return;
  const HolderId id = next_holder_++;
  const bool admin = Chance(20);
  const Holder holder{id, static_cast<pid_t>(1000 + id),
                      admin ? 0u : 1000 + uid_t(Random(2)), "client", admin};
  holders_[id] = holder;
  pool_->AddHolder(holder);
}

void PoolModel::KillHolder() {
  if (holders_.empty()) return;
  const Holder killed = RandomIn(holders_)->second;
  pool_->RemoveHolder(killed.id);
  std::vector<LeaseId> held;
  for (const auto& [lease_id, lease] : leases_) {
    if (lease.holder == killed.id) held.push_back(lease_id);
  }
  for (const LeaseId& lease : held) EndLease(lease, EndCause::kHolderDied);
  holders_.erase(killed.id);
  // What is remembered of a uid without a holder goes little by little.
  for (const auto& [other, holder] : holders_) {
    if (holder.uid == killed.uid) return;
  }
  std::erase_if(ended_,
                [&](const auto& end) { return end.second.uid == killed.uid; });
}

void PoolModel::KeepOne() {
  if (!stale_paths_.empty() && Chance(30)) {
    // Somebody who was stopped since he was granted it.
    const int fd = open(RandomIn(stale_paths_)->c_str(),
                        O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) kept_.push_back(fd);
    return;
  }
  if (buffers_.empty()) return;
  const std::string& path = RandomIn(buffers_)->second.path;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK);
  ASSERT_GE(fd, 0) << "a proof left its lease behind on " << path;
  kept_.push_back(fd);
}

void PoolModel::StopKeeping() {
  if (kept_.empty()) return;
  const auto it = RandomIn(kept_);
  close(*it);
  kept_.erase(it);
}

void PoolModel::TamperWithOne() {
  if (buffers_.empty() || !tampers_) return;
  Buffer& buffer = RandomIn(buffers_)->second;
  EXPECT_EQ(truncate(buffer.path.c_str(), Random(2) * 4096), 0);
  buffer.tampered = true;
}

void PoolModel::Check() {
  pool_->CheckInvariants();
  const Pool::Stats stats = pool_->stats();
  const SegmentPool::Stats& segments = stats.segments;
  EXPECT_EQ(stats.live_leases, leases_.size());
  EXPECT_EQ(stats.live_buffers, buffers_.size());
  EXPECT_EQ(stats.holders, holders_.size());
  EXPECT_EQ(segments.ledger.in(ByteState::kLeased), LeasedBytes());
  EXPECT_LE(segments.ledger.used(), kCapacity);
  EXPECT_EQ(segments.ledger.used() + segments.ledger.free(), kCapacity);

  // Every file is a segment that somebody answers for.
  const size_t known = buffers_.size() + segments.retained_segments +
                       segments.quarantined_segments +
                       segments.batch.blocks_waiting;
  EXPECT_EQ(CountSegmentFiles(directory_->path()), known);
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{
                               0, directory_->open_segments(), known}));
  EXPECT_LE(directory_->open_segments(), std::min(max_open_segments_, known));
  if (!tampers_) {
    EXPECT_EQ(AllocatedBytes(directory_->path()),
              segments.ledger.used() - options_.segments.overhead_bytes);
  }

  const std::vector<BufferListing> listing = pool_->ListAll();
  EXPECT_EQ(listing.size(), buffers_.size());
  for (const BufferListing& listed : listing) {
    const auto it = buffers_.find({listed.uid, listed.name});
    ASSERT_NE(it, buffers_.end()) << listed.name;
    const Buffer& buffer = it->second;
    EXPECT_EQ(listed.file_name, FileNameOf(buffer.path));
    EXPECT_EQ(listed.bytes, buffer.bytes);
    EXPECT_EQ(listed.segment_bytes, buffer.segment_bytes);
    EXPECT_EQ(listed.generation, buffer.generation);
    std::set<LeaseId> ids;
    for (const auto& lease : listed.leases) ids.insert(lease.id);
    EXPECT_EQ(ids, buffer.leases);
    if (!buffer.tampered) ExpectMark(buffer.path, buffer.generation);
  }
  EXPECT_EQ(told_, to_be_told_);
}

void PoolModel::End() {
  while (!kept_.empty()) StopKeeping();
  while (!holders_.empty()) KillHolder();
  Check();
  // The longest pause between two probes.
  clock_.Advance(absl::Seconds(1));
  pool_->Tick();
  EXPECT_EQ(pool_->stats().segments.quarantined_segments, 0u);
  pool_->Drain();
  EXPECT_EQ(pool_->stats().segments.ledger.used(),
            options_.segments.overhead_bytes);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(CountSegmentFiles(directory_->path()), 0u);
}

}  // namespace warmpool
