#include "server/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/unique_fd.h"
#include "core/engine/unmap_batch.h"
#include "server/clients/peer.h"
#include "server/descriptors.h"
#include "server/log/log_value.h"
#include "server/status_page.h"
#include "server/wire/conversion.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

using Phase = Lifecycle::Phase;

// How long a holder may be without a connection, where the default time to live
// is shorter or there is none.
constexpr absl::Duration kShortestGrace = absl::Minutes(1);
// For how long no stock is made once the machine was short of memory.
constexpr absl::Duration kPressurePause = absl::Seconds(10);
// What comes back is mostly leased again within less.
constexpr absl::Duration kProveWithin = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Create(
    const DaemonOptions& options) {
  std::unique_ptr<Daemon> daemon(new Daemon(options));
  RETURN_IF_ERROR(daemon->OpenFiles());
  RETURN_IF_ERROR(daemon->MakeHolders());
  RETURN_IF_ERROR(daemon->MakePool());
  RETURN_IF_ERROR(daemon->PrepareThreads());
  RETURN_IF_ERROR(daemon->Listen());
  RETURN_IF_ERROR(
      daemon->files_->TakeOver(daemon->holders_.get(), daemon->pool_.get()));
  RETURN_IF_ERROR(daemon->StartServing());
  return daemon;
}

Daemon::Daemon(const DaemonOptions& options)
    : options_(options),
      clock_(MonotonicClock::Get()),
      calls_(options.calls != nullptr ? *options.calls
                                      : LinuxSystemCalls::Get()),
      lifecycle_(&clock_),
      log_(&clock_),
      memory_limit_(MemoryLimit::Find()),
      memory_room_([this] { return memory_limit_.Read(); }, &clock_),
      maintenance_(&clock_),
      memory_pressure_(&memory_limit_, &clock_,
                       {.shed = [this] { return ReleaseUnused(); },
                        .kept_bytes = [this] { return pool_->kept_bytes(); }}),
      rpc_stats_(&clock_, [this] { maintenance_.Poke(); }) {}

Daemon::~Daemon() {
  StopServing();
  // One that did not get as far as to know the leases has none to judge by.
  if (files_ != nullptr && files_->taken_over() &&
      pool_->stats().live_leases == 0) {
    pool_->EndJournal();
  }
}

absl::Status Daemon::OpenFiles() {
  ASSIGN_OR_RETURN(const Admission admission,
                   Admission::Create(geteuid(), options_.admission));
  SegmentDirectory::Options options;
  // A directory that only root's processes use is root's alone.
  options.serves_other_uids &= admission.ServesOthers();
  options.max_open_segments = RaiseDescriptorLimit();
  // Who is in an allowed group can't be told from a file.
  options.served_uids = options_.admission.allowed_uids;
  options.served_uids.insert(options_.admission.admin_uids.begin(),
                             options_.admission.admin_uids.end());
  options.memory_room = &memory_room_;
  options.huge_pages = options_.huge_pages;
  options.on_small_pages = [this](uint64_t bytes, const absl::Status& why) {
    log_.OnSmallPages(bytes, why);
  };
  ASSIGN_OR_RETURN(
      files_,
      DaemonFiles::Open(options_.shm_dir,
                        absl::StrCat("serving ", options_.listen), options,
                        {.calls = &calls_,
                         .journal_calls = options_.journal_calls != nullptr
                                              ? options_.journal_calls
                                              : &own_journal_calls_,
                         .random = &random_}));
  return absl::OkStatus();
}

absl::Status Daemon::MakeHolders() {
  ASSIGN_OR_RETURN(const Admission admission,
                   Admission::Create(geteuid(), options_.admission));
  ASSIGN_OR_RETURN(
      holders_,
      HolderRegistry::Create(
          options_.peers != nullptr ? options_.peers : &KernelPeerSource::Get(),
          &clock_,
          {.admission = admission,
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
               }}));
  return absl::OkStatus();
}

absl::Status Daemon::MakePool() {
  const size_t max_segment_bytes = options_.pool.segments.max_segment_bytes;
  RETURN_IF_ERROR(files_->FindLeftovers(max_segment_bytes));
  const PoolSizes sizes = SizePool(options_.sizes, Space());
  pool_ =
      std::make_unique<Pool>(&files_->directory(), &calls_, &clock_, &random_,
                             PoolOptionsFor(sizes), &files_->journal());
  makes_stock_ = sizes.stock_bytes > 0;
  reclaim_ = std::make_unique<ClientReclaim>(pool_.get(), &hub_, &clock_);
  stats_ = std::make_unique<StatsSource>(
      StatsSource::Deps{.clock = &clock_,
                        .pool = pool_.get(),
                        .directory = &files_->directory(),
                        .calls = &calls_,
                        .memory_pressure = &memory_pressure_,
                        .sessions = &hub_,
                        .rpcs = &rpc_stats_,
                        .drain_timeout = options_.drain_timeout});
  LogSizes(options_.sizes, sizes, max_segment_bytes, &files_->directory());
  return absl::OkStatus();
}

MachineSpace Daemon::Space() {
  SegmentDirectory& directory = files_->directory();
  return {.free_bytes = directory.FreeBytes().value_or(0),
          .held_bytes = files_->held_bytes(),
          .filesystem_total_bytes =
              directory.FilesystemSpace().value_or(FilesystemBytes()).total,
          .limit = memory_limit_.Read()};
}

Pool::Options Daemon::PoolOptionsFor(const PoolSizes& sizes) {
  Pool::Options pool = options_.pool;
  pool.quota = options_.uid_quota;
  // Clients of an earlier daemon have one time to live to assert their leases.
  pool.segments.leftover_grace =
      std::max(pool.segments.leftover_grace, pool.default_ttl);
  pool.segments.capacity_bytes = sizes.capacity.bytes;
  pool.segments.bigcache.max_bytes = sizes.bigcache_bytes;
  pool.segments.stock.max_bytes = sizes.stock_bytes;
  // One word for both: an idle daemon gives its memory back.
  pool.segments.stock.decay = pool.segments.bigcache.decay;
  pool.segments.batch.drain = UnmapBatch::Drain::kIdleThread;
  pool.segments.on_stock_wanted = [this] { stocker_.Wake(); };
  pool.segments.overhead_bytes = files_->directory().overhead_bytes();
  pool.segments.prove_within = kProveWithin;
  pool.segments.on_due_earlier = [this] { maintenance_.Poke(); };
  pool.on_revoked = [this](const RevokedLease& revoked) {
    log_.OnRevoked(revoked);
    v1::SessionResponse notice;
    *notice.mutable_revoked() = ToProto(revoked);
    hub_.Notify(revoked.holder, notice);
  };
  pool.run_later = [this](uid_t uid, std::function<void()> work) {
    transport_->RunLater(uid, std::move(work));
  };
  pool.on_refused = [this](const Refusal& refusal) { log_.OnRefused(refusal); };
  return pool;
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
        if (search.ended > 0) log_.OnForgotten(id, search.ended);
        if (!pool_->HasLeases(id)) holders_->Forget(id);
        return false;
      });
}

uint64_t Daemon::ReleaseUnused() {
  const uint64_t bytes =
      pool_->ReleaseUnused(EvictionReason::kPressure, kPressurePause);
  if (const uint64_t idle = reclaim_->idle_bytes(); idle > 0) {
    reclaim_->Trim(idle);
  }
  return bytes;
}

absl::Status Daemon::PrepareThreads() {
  RETURN_IF_ERROR(maintenance_.Prepare());
  RETURN_IF_ERROR(stocker_.Prepare());
  RETURN_IF_ERROR(holder_ender_.Start());
  return PrepareWatchdog();
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

absl::Status Daemon::Listen() {
  handlers_ = std::make_unique<PoolHandlers>(
      pool_.get(), stats_.get(), reclaim_.get(), &clock_,
      PoolHandlers::Hooks{
          .prepare_stop = [this](bool revoke) { return PrepareStop(revoke); },
          .stop = [this] { RequestStop(); }});
  RETURN_IF_ERROR(reclaim_->Start());
  transport_ = std::make_unique<Transport>(&clock_, holders_.get(),
                                           handlers_.get(), &hub_, &rpc_stats_);
  RETURN_IF_ERROR(StartHttp());
  return transport_->Listen(options_.listen, options_.grpc,
                            UniqueFd(options_.passed_socket));
}

absl::Status Daemon::StartHttp() {
  if (!options_.metrics_listen.has_value()) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      http_,
      StartStatusPage(
          {.listen = *options_.metrics_listen,
           .shows_holders = options_.metrics_holders,
           .ready = [this] { return lifecycle_.phase() == Phase::kServing; }},
          stats_.get(), pool_.get()));
  return absl::OkStatus();
}

absl::Status Daemon::StartServing() {
  memory_pressure_.Start();
  RETURN_IF_ERROR(maintenance_.Start([this](const Maintenance::Turn& turn) {
    pool_->PostponeExpiry(turn.grace_end);
    const absl::Time next = pool_->Tick(turn.now);
    return std::min({next, memory_pressure_.Poll(), stats_->Poll()});
  }));
  if (makes_stock_) {
    RETURN_IF_ERROR(stocker_.Start([this](SegmentPool::StepRunner run_step) {
      return pool_->MakeStock(run_step);
    }));
  }
  RETURN_IF_ERROR(transport_->Start());
  if (watchdog_ != nullptr) watchdog_->Start();
  lifecycle_.Advance(Phase::kServing);
  spdlog::info("serving listen={} pid={}", LogValue(options_.listen), getpid());
  return absl::OkStatus();
}

size_t Daemon::Wait() {
  lifecycle_.AwaitStopRequest();
  BeginStop();
  if (options_.drain_timeout > absl::ZeroDuration()) {
    BeginDrain();
    lifecycle_.AwaitDrained(options_.drain_timeout,
                            [this] { return pool_->stats().live_leases == 0; });
  }
  // While clients are served, for it may take long. What comes back from here
  // on is little.
  pool_->ReleaseUnused(EvictionReason::kDrained, absl::InfiniteDuration());
  StopServing();
  LogLeasesLeft(*pool_);
  return pool_->stats().live_leases;
}

void Daemon::BeginStop() {
  if (!lifecycle_.Advance(Phase::kStopping)) return;
  spdlog::info("stopping");
  if (options_.on_stopping) options_.on_stopping();
  transport_->SetServing(false);
}

void Daemon::BeginDrain() {
  if (!lifecycle_.Advance(Phase::kDraining)) return;
  spdlog::info("draining");
  pool_->Drain();
  v1::SessionResponse notice;
  notice.mutable_draining();
  hub_.NotifyAll(notice);
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

v1::ShutdownResponse Daemon::PrepareStop(bool revoke) {
  BeginStop();
  // Who was revoked, or waited for, must not be followed by others.
  if (revoke || options_.drain_timeout > absl::ZeroDuration()) BeginDrain();
  v1::ShutdownResponse response;
  response.set_live_leases(pool_->stats().live_leases);
  if (revoke) response.set_revoked_leases(pool_->RevokeAll());
  return response;
}

}  // namespace warmpool
