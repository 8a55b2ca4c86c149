#include "server/daemon.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/unique_fd.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/kernel/descriptor_limit.h"
#include "core/memory/kernel/file_size_limit.h"
#include "server/capacity.h"
#include "server/clients/peer.h"
#include "server/log/log_value.h"
#include "server/recovery.h"
#include "server/wire/conversion.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// How often a draining daemon looks whether the last lease is gone.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);
// How long a holder may be without a connection, where the default time to live
// is shorter or there is none.
constexpr absl::Duration kShortestGrace = absl::Minutes(1);
// Where nothing else is asked for: what a burst takes, and the machine hardly
// misses.
constexpr uint64_t kStockShare = 16;
constexpr uint64_t kMostStock = 256 * kMiB;
// For how long no stock is made once the machine was short of memory.
constexpr absl::Duration kPressurePause = absl::Seconds(10);
// What comes back is mostly leased again within less.
constexpr absl::Duration kProveWithin = absl::Milliseconds(20);

// The last line tells how many there are.
constexpr size_t kMostLeasesLogged = 100;

// Segments that stay open are proven sooner. Returns how many may, so that
// connections find descriptors too.
size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  const bool raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
  return DescriptorsForSegments(raised ? limit.rlim_max : before);
}

// Pidfds of processes that were found again leave an eighth of all descriptors
// to connections, so that those processes can come back.
int RecoveredDescriptorsEnd() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return INT_MAX;
  return static_cast<int>(
      std::min<rlim_t>(limit.rlim_cur - limit.rlim_cur / 8, INT_MAX));
}

// `wanted_bytes`: the largest segment that the options allow.
void LogFileSizeLimit(uint64_t wanted_bytes) {
  const std::optional<uint64_t> limit = FileSizeLimit();
  if (!limit.has_value() || *limit >= wanted_bytes) return;
  spdlog::warn(
      "larger buffers can't be leased largest={} reason=RLIMIT_FSIZE "
      "remedy=\"ulimit -f unlimited, or LimitFSIZE=infinity in the "
      "systemd unit\"",
      LogValue(FormatByteSize(*limit)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Create(
    const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  absl::Status status = daemon->OpenDirectory();
  if (!status.ok()) return status;
  status = daemon->MakePool();
  if (!status.ok()) return status;
  status = daemon->PrepareThreads();
  if (!status.ok()) return status;
  status = daemon->Listen();
  if (!status.ok()) return status;
  status = daemon->TakeOver();
  if (!status.ok()) return status;
  status = daemon->StartServing();
  if (!status.ok()) return status;
  return daemon;
}

Daemon::Daemon(const DaemonOptions& options)
    : options_(options),
      clock_(MonotonicClock::Get()),
      calls_(options.calls != nullptr ? *options.calls
                                      : LinuxSystemCalls::Get()),
      log_limit_(&clock_),
      memory_limit_(MemoryLimit::Find()),
      memory_room_([this] { return memory_limit_.Read(); }, &clock_),
      journal_calls_(options.journal_calls != nullptr ? *options.journal_calls
                                                      : own_journal_calls_),
      maintenance_(&clock_),
      memory_pressure_(&memory_limit_, &clock_,
                       {.shed = [this] { return ReleaseUnused(); },
                        .kept_bytes = [this] { return pool_->kept_bytes(); }}),
      rpc_stats_(&clock_, [this] { maintenance_.Poke(); }) {}

Daemon::~Daemon() {
  StopServing();
  // One that did not get as far as to know the leases has none to judge by.
  if (recovered_ && pool_->stats().live_leases == 0) pool_->EndJournal();
  for (Segment& segment : leftovers_) {
    UnmapBatch(&calls_, {UnmapBatch::Drain::kInline})
        .Detach(std::move(segment));
  }
}

absl::Status Daemon::OpenDirectory() {
  const absl::StatusOr<Admission> admission =
      Admission::Create(geteuid(), options_.admission);
  if (!admission.ok()) return admission.status();
  SegmentDirectory::Options options;
  // A directory that only root's processes use is root's alone.
  options.serves_other_uids &= admission->ServesOthers();
  options.max_open_segments = RaiseDescriptorLimit();
  // Who is in an allowed group can't be told from a file.
  options.served_uids = options_.admission.allowed_uids;
  options.served_uids.insert(options_.admission.admin_uids.begin(),
                             options_.admission.admin_uids.end());
  options.memory_room = &memory_room_;
  options.huge_pages = options_.huge_pages;
  options.end_window = [this](Segment window) {
    UnmapBatch(&calls_, {UnmapBatch::Drain::kInline}).Detach(std::move(window));
  };
  options.on_small_pages = [this](uint64_t bytes, const absl::Status& why) {
    if (const auto suppressed = log_limit_.Pass("small pages")) {
      spdlog::warn("a segment has 4 KiB pages bytes={} reason={}{}", bytes,
                   LogValue(why.message()), *suppressed);
    }
  };
  absl::StatusOr<std::unique_ptr<SegmentDirectory>> directory =
      SegmentDirectory::Open(options_.shm_dir,
                             absl::StrCat("serving ", options_.listen), &calls_,
                             &random_, options);
  if (!directory.ok()) return directory.status();
  directory_ = *std::move(directory);
  LogHugePages();
  absl::StatusOr<std::unique_ptr<Journal>> journal =
      Journal::Open(directory_->private_directory_fd(), BootId(),
                    Journal::Options(), &journal_calls_, &replay_);
  if (!journal.ok()) return InPrivate(journal.status());
  journal_ = *std::move(journal);
  return absl::OkStatus();
}

absl::Status Daemon::InPrivate(const absl::Status& status) const {
  return absl::Status(
      status.code(),
      absl::StrCat(directory_->path(), "/private: ", status.message()));
}

void Daemon::LogHugePages() {
  if (!directory_->huge_page_support().ok()) {
    spdlog::warn("huge pages method=none reason={}",
                 LogValue(directory_->huge_page_support().message()));
    return;
  }
  switch (directory_->huge_page_method()) {
    case HugePages::Method::kNone:
      spdlog::info("huge pages method=none reason=\"--huge_pages=never\"");
      break;
    case HugePages::Method::kCollapse:
      spdlog::info("huge pages method=collapse from={}",
                   LogValue(FormatByteSize(kHugePageSize)));
      break;
    case HugePages::Method::kMount:
      spdlog::info("huge pages method=mount from={}",
                   LogValue(FormatByteSize(kHugePageSize)));
      break;
  }
}

absl::Status Daemon::MakePool() {
  const absl::Status watched = MakeHolders();
  if (!watched.ok()) return watched;
  absl::StatusOr<std::vector<Segment>> found = directory_->FindLeftovers(
      SizeClasses(options_.pool.segments.max_segment_bytes), &unknown_);
  if (!found.ok()) return found.status();
  leftovers_ = *std::move(found);
  uint64_t held = directory_->overhead_bytes();
  for (const Segment& segment : leftovers_) held += segment.bytes();

  Pool::Options pool = options_.pool;
  pool.quota = options_.uid_quota;
  // Clients of an earlier daemon have one time to live to assert their leases.
  pool.segments.leftover_grace =
      std::max(pool.segments.leftover_grace, pool.default_ttl);
  pool.segments.capacity_bytes = CapacityFor(held);
  pool.segments.bigcache.max_bytes =
      options_.bigcache_bytes.value_or(pool.segments.capacity_bytes / 2);
  pool.segments.stock.max_bytes = options_.stock_bytes.value_or(
      std::min(pool.segments.capacity_bytes / kStockShare, kMostStock));
  // One word for both: an idle daemon gives its memory back.
  pool.segments.stock.decay = pool.segments.bigcache.decay;
  makes_stock_ = pool.segments.stock.max_bytes > 0;
  pool.segments.batch.drain = UnmapBatch::Drain::kIdleThread;
  pool.segments.on_stock_wanted = [this] { stocker_.Wake(); };
  pool.segments.overhead_bytes = directory_->overhead_bytes();
  pool.segments.prove_within = kProveWithin;
  pool.segments.on_due_earlier = [this] { maintenance_.Poke(); };
  pool.on_revoked = [this](const RevokedLease& revoked) {
    LogRevoked(revoked);
    v1::SessionResponse notice;
    *notice.mutable_revoked() = ToProto(revoked);
    hub_.Notify(revoked.holder, notice);
  };
  pool.run_later = [this](uid_t uid, std::function<void()> work) {
    transport_->RunLater(uid, std::move(work));
  };
  pool.on_refused = [this](const Refusal& refusal) { LogRefused(refusal); };
  pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                 pool, journal_.get());
  stats_ = std::make_unique<StatsSource>(
      StatsSource::Deps{.clock = &clock_,
                        .pool = pool_.get(),
                        .directory = directory_.get(),
                        .calls = &calls_,
                        .memory_pressure = &memory_pressure_,
                        .sessions = &hub_,
                        .rpcs = &rpc_stats_,
                        .drain_timeout = options_.drain_timeout});
  LogFileSizeLimit(std::min<uint64_t>(pool.segments.capacity_bytes,
                                      pool.segments.max_segment_bytes));
  spdlog::info("pool ready shm_dir={} capacity={} free={}",
               LogValue(directory_->path()),
               LogValue(FormatByteSize(pool.segments.capacity_bytes)),
               LogValue(FormatByteSize(directory_->FreeBytes().value_or(0))));
  return absl::OkStatus();
}

absl::Status Daemon::TakeOver() {
  const absl::Status begun = journal_->Begin();
  if (!begun.ok()) return InPrivate(begun);
  if (!replay_.damage.empty()) {
    const absl::Status& kept = journal_->kept_aside();
    spdlog::error(
        "journal damaged, leases after the damage are recovered only if their "
        "clients assert them reason={} kept={}",
        LogValue(replay_.damage),
        LogValue(kept.ok() ? absl::StrCat(directory_->path(), "/private/",
                                          Journal::kDamagedName)
                           : ""));
    if (!kept.ok()) {
      spdlog::error("damaged journal could not be kept reason={}",
                    LogValue(kept.message()));
    }
  }
  for (const Segment& segment : leftovers_) {
    if (!SegmentDirectory::IsStray(segment)) continue;
    spdlog::warn("unknown file, ended once nobody has it file={} bytes={}",
                 LogValue(directory_->PathOf(segment)), segment.bytes());
  }
  for (const std::string& name : unknown_) {
    spdlog::warn("not a segment, left alone file={}",
                 LogValue(absl::StrCat(directory_->path(), "/", name)));
  }
  RecoverLeases(replay_, std::exchange(leftovers_, {}), holders_.get(),
                pool_.get());
  replay_ = Journal::Replay();
  recovered_ = true;
  return absl::OkStatus();
}

uint64_t Daemon::CapacityFor(uint64_t held_bytes) {
  const uint64_t half = (directory_->FreeBytes().value_or(0) + held_bytes) / 2;
  const BoundedCapacity capacity = BoundCapacity(
      options_.capacity_bytes.value_or(half),
      directory_->FilesystemSpace().value_or(FilesystemBytes()).total,
      memory_limit_.Read());
  if (!capacity.bound_by.empty() && options_.capacity_bytes.has_value()) {
    spdlog::warn("less capacity than asked for asked={} capacity={} reason={}",
                 LogValue(FormatByteSize(*options_.capacity_bytes)),
                 LogValue(FormatByteSize(capacity.bytes)),
                 LogValue(capacity.bound_by));
  }
  return capacity.bytes;
}

absl::Status Daemon::MakeHolders() {
  const absl::StatusOr<Admission> admission =
      Admission::Create(geteuid(), options_.admission);
  if (!admission.ok()) return admission.status();
  absl::StatusOr<std::unique_ptr<HolderRegistry>> holders =
      HolderRegistry::Create(
          options_.peers != nullptr ? options_.peers : &KernelPeerSource::Get(),
          &clock_,
          {.admission = *admission,
           .max_connections_per_uid = options_.max_connections_per_uid,
           .grace = std::max(options_.pool.default_ttl, kShortestGrace),
           .recovered_end = RecoveredDescriptorsEnd(),
           .on_added =
               [this](const Holder& holder) {
                 spdlog::debug(
                     "holder added holder={} pid={} uid={} command={}",
                     holder.id, holder.pid, holder.uid,
                     LogValue(holder.command));
                 pool_->AddHolder(holder);
               },
           .on_gone = [this](const Holder& holder) { EndGone(holder); },
           .on_unconnected =
               [this](const Holder& holder, absl::Time since) {
                 EndForgotten(holder, since);
               }});
  if (!holders.ok()) return holders.status();
  holders_ = *std::move(holders);
  return absl::OkStatus();
}

void Daemon::EndGone(const Holder& holder) {
  holder_ender_.Add(holder.uid,
                    [this, id = holder.id] { return pool_->RemoveSomeOf(id); });
}

void Daemon::EndForgotten(const Holder& holder, absl::Time since) {
  holder_ender_.Add(
      holder.uid,
      [this, id = holder.id, search = UnusedSearch{.since = since}]() mutable {
        if (pool_->EndSomeUnusedLeases(id, &search)) return true;
        if (search.ended > 0) LogForgotten(id, search.ended);
        if (!pool_->HasLeases(id)) holders_->Forget(id);
        return false;
      });
}

absl::Status Daemon::Listen() {
  handlers_ = std::make_unique<PoolHandlers>(
      pool_.get(), stats_.get(), &clock_,
      PoolHandlers::Hooks{
          .prepare_stop = [this](bool revoke) { return PrepareStop(revoke); },
          .stop = [this] { RequestStop(); },
          .idle_in_clients = [this] { return hub_.idle_bytes(); },
          .trim_clients = [this](uint64_t bytes) { TrimClients(bytes); }});
  absl::Status started = handlers_->Start();
  if (!started.ok()) return started;
  transport_ = std::make_unique<Transport>(&clock_, holders_.get(),
                                           handlers_.get(), &hub_, &rpc_stats_);
  started = StartHttp();
  if (!started.ok()) return started;
  return transport_->Listen(options_.listen, options_.grpc,
                            UniqueFd(options_.passed_socket));
}

absl::Status Daemon::PrepareThreads() {
  absl::Status prepared = maintenance_.Prepare();
  if (prepared.ok()) prepared = stocker_.Prepare();
  if (prepared.ok()) prepared = holder_ender_.Start();
  if (prepared.ok()) prepared = PrepareWatchdog();
  return prepared;
}

absl::Status Daemon::StartServing() {
  memory_pressure_.Start();
  absl::Status started =
      maintenance_.Start([this](const Maintenance::Turn& turn) {
        pool_->PostponeExpiry(turn.grace_end);
        const absl::Time next = pool_->Tick(turn.now);
        return std::min({next, memory_pressure_.Poll(), stats_->Poll()});
      });
  if (started.ok() && makes_stock_) {
    started = stocker_.Start([this](SegmentPool::StepRunner run_step) {
      return pool_->MakeStock(run_step);
    });
  }
  if (started.ok()) started = transport_->Start();
  if (started.ok() && watchdog_ != nullptr) watchdog_->Start();
  if (!started.ok()) return started;
  {
    MutexLock lock(&mutex_);
    serving_ = true;
  }
  spdlog::info("serving listen={} pid={}", LogValue(options_.listen), getpid());
  return absl::OkStatus();
}

absl::Status Daemon::PrepareWatchdog() {
  if (!options_.watchdog_period.has_value()) return absl::OkStatus();
  watchdog_ = std::make_unique<Watchdog>(Watchdog::Options{
      .period = *options_.watchdog_period,
      .probes = {[this](std::function<void()> alive) {
                   transport_->CallOnServingThread(std::move(alive));
                 },
                 [this](std::function<void()> alive) {
                   maintenance_.CallSoon(std::move(alive));
                 }},
      .on_alive = options_.on_alive});
  return watchdog_->Prepare();
}

absl::Status Daemon::StartHttp() {
  if (!options_.metrics_listen.has_value()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<HttpServer>> http = HttpServer::Start(
      *options_.metrics_listen, {.status = [this] { return HttpStatus(); },
                                 .ready =
                                     [this] {
                                       MutexLock lock(&mutex_);
                                       return serving_ && !stopping_;
                                     }});
  if (!http.ok()) return http.status();
  http_ = *std::move(http);
  const HttpAddress& address = http_->address();
  stats_->SetMetricsListen(address.ToString());
  spdlog::info("metrics listen={} holders={}", LogValue(address.ToString()),
               options_.metrics_holders);
  if (!address.is_loopback()) {
    spdlog::warn(
        "metrics can be read from other machines listen={} remedy=\"listen on "
        "127.0.0.1, or keep others out with a firewall\"",
        LogValue(address.ToString()));
  }
  return absl::OkStatus();
}

http::Status Daemon::HttpStatus() {
  constexpr size_t kMostHolders = 1000;
  http::Status status;
  stats_->Fill(status.mutable_stats());
  status.set_holders_shown(options_.metrics_holders);
  if (options_.metrics_holders) {
    std::vector<v1::HolderUsage> holders =
        stats_->Holders([](const Holder&) { return true; });
    holders.resize(std::min(holders.size(), kMostHolders));
    status.mutable_holders()->Add(holders.begin(), holders.end());
    for (const UnheldLease& lease :
         pool_->UnheldLeases(std::nullopt, kMostHolders)) {
      *status.add_unheld() = ToProto(lease);
    }
  } else {
    HideProcesses(status.mutable_stats());
  }
  return status;
}

void Daemon::LogRevoked(const RevokedLease& revoked) {
  const char* const cause =
      revoked.cause == EndCause::kExpired ? "expired" : "revoked";
  // Clients choose how soon their leases expire.
  if (const auto suppressed = log_limit_.Pass(cause)) {
    spdlog::info(
        "lease ended by the daemon lease={} holder={} buffer={} cause={}{}",
        revoked.id.ToHex(), revoked.holder, revoked.buffer_name, cause,
        *suppressed);
  }
}

void Daemon::LogRefused(const Refusal& refusal) {
  if (const auto suppressed = log_limit_.Pass("refused")) {
    spdlog::info(
        "lease refused code={} bytes={} holder={} pid={} uid={} command={} "
        "reason={}{}",
        absl::StatusCodeToString(refusal.status.code()), refusal.bytes,
        refusal.holder.id, refusal.holder.pid, refusal.holder.uid,
        LogValue(refusal.holder.command), LogValue(refusal.status.message()),
        *suppressed);
  }
}

void Daemon::LogForgotten(HolderId holder, size_t leases) {
  if (const auto suppressed = log_limit_.Pass("forgotten")) {
    spdlog::info("leases that their holder forgot holder={} leases={}{}",
                 holder, leases, *suppressed);
  }
}

void Daemon::RequestStop() {
  {
    MutexLock lock(&mutex_);
    ++stop_requests_;
  }
  stop_condition_.NotifyAll();
}

size_t Daemon::Wait() {
  {
    MutexLock lock(&mutex_);
    while (stop_requests_ == 0) stop_condition_.Wait(&mutex_);
  }
  BeginStop();
  if (options_.drain_timeout > absl::ZeroDuration()) {
    BeginDrain();
    AwaitReleases();
  }
  // While clients are served, for it may take long. What comes back from here
  // on is little.
  pool_->ReleaseUnused(EvictionReason::kDrained, absl::InfiniteDuration());
  StopServing();
  LogLeasesLeft();
  return pool_->stats().live_leases;
}

void Daemon::StopServing() {
  watchdog_.reset();
  if (transport_ != nullptr) transport_->Stop();
  http_.reset();
  holder_ender_.Stop();
  stocker_.Stop();
  memory_pressure_.Stop();
  maintenance_.Stop();
}

void Daemon::BeginStop() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  spdlog::info("stopping");
  if (options_.on_stopping) options_.on_stopping();
  transport_->SetServing(false);
}

void Daemon::BeginDrain() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(draining_, true)) return;
  }
  spdlog::info("draining");
  pool_->Drain();
  v1::SessionResponse notice;
  notice.mutable_draining();
  hub_.NotifyAll(notice);
}

uint64_t Daemon::ReleaseUnused() {
  const uint64_t bytes =
      pool_->ReleaseUnused(EvictionReason::kPressure, kPressurePause);
  if (const uint64_t idle = hub_.idle_bytes(); idle > 0) TrimClients(idle);
  return bytes;
}

void Daemon::TrimClients(uint64_t wanted_bytes) {
  spdlog::debug("asking clients for idle memory bytes={}", wanted_bytes);
  v1::SessionResponse notice;
  notice.mutable_trim()->set_wanted_bytes(wanted_bytes);
  hub_.NotifyAll(notice);
}

v1::ShutdownResponse Daemon::PrepareStop(bool revoke) {
  BeginStop();
  // Who was revoked, or waited for, must not be followed by others.
  if (revoke || options_.drain_timeout > absl::ZeroDuration()) BeginDrain();
  v1::ShutdownResponse response;
  response.set_live_leases(pool_->stats().live_leases);
  if (revoke) response.set_revoked_leases(pool_->RevokeAll());
  return response;
}

void Daemon::AwaitReleases() {
  const absl::Time deadline = clock_.Now() + options_.drain_timeout;
  MutexLock lock(&mutex_);
  while (stop_requests_ == 1 && clock_.Now() < deadline &&
         pool_->stats().live_leases > 0) {
    stop_condition_.WaitFor(&mutex_, kDrainPoll);
  }
}

void Daemon::LogLeasesLeft() {
  const Pool::Stats stats = pool_->stats();
  size_t logged = 0;
  for (const BufferListing& buffer : pool_->ListAll(kMostLeasesLogged)) {
    for (const BufferListing::Lease& lease : buffer.leases) {
      if (++logged > kMostLeasesLogged) continue;
      spdlog::warn(
          "lease left lease={} holder={} pid={} uid={} command={} "
          "buffer={} bytes={} segment={}",
          lease.id.ToHex(), lease.holder.id, lease.holder.pid, lease.holder.uid,
          LogValue(lease.holder.command), buffer.name, buffer.segment_bytes,
          buffer.file_name);
    }
  }
  spdlog::info("stopped leases_left={} quarantined={}", stats.live_leases,
               stats.segments.quarantined_segments);
}

}  // namespace warmpool
