#include "server/pool_log.h"

#include <algorithm>
#include <optional>

#include "core/base/byte_size.h"
#include "core/memory/kernel/file_size_limit.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// The last line tells how many there are.
constexpr size_t kMostLeasesLogged = 100;

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

void PoolLog::OnRevoked(const RevokedLease& revoked) {
  const char* const cause =
      revoked.cause == EndCause::kExpired ? "expired" : "revoked";
  // Clients choose how soon their leases expire.
  if (const auto suppressed = limit_.Pass(cause)) {
    spdlog::info(
        "lease ended by the daemon lease={} holder={} buffer={} cause={}{}",
        revoked.id.ToHex(), revoked.holder, revoked.buffer_name, cause,
        *suppressed);
  }
}

void PoolLog::OnRefused(const Refusal& refusal) {
  if (const auto suppressed = limit_.Pass("refused")) {
    spdlog::info(
        "lease refused code={} bytes={} holder={} pid={} uid={} command={} "
        "reason={}{}",
        absl::StatusCodeToString(refusal.status.code()), refusal.bytes,
        refusal.holder.id, refusal.holder.pid, refusal.holder.uid,
        LogValue(refusal.holder.command), LogValue(refusal.status.message()),
        *suppressed);
  }
}

void PoolLog::OnForgotten(HolderId holder, size_t leases) {
  if (const auto suppressed = limit_.Pass("forgotten")) {
    spdlog::info("leases that their holder forgot holder={} leases={}{}",
                 holder, leases, *suppressed);
  }
}

void PoolLog::OnSmallPages(uint64_t bytes, const absl::Status& why) {
  if (const auto suppressed = limit_.Pass("small pages")) {
    spdlog::warn("a segment has 4 KiB pages bytes={} reason={}{}", bytes,
                 LogValue(why.message()), *suppressed);
  }
}

void LogSizes(const WantedSizes& wanted, const PoolSizes& sizes,
              uint64_t max_segment_bytes, SegmentDirectory* directory) {
  const BoundedCapacity& capacity = sizes.capacity;
  if (!capacity.bound_by.empty() && wanted.capacity_bytes.has_value()) {
    spdlog::warn("less capacity than asked for asked={} capacity={} reason={}",
                 LogValue(FormatByteSize(*wanted.capacity_bytes)),
                 LogValue(FormatByteSize(capacity.bytes)),
                 LogValue(capacity.bound_by));
  }
  LogFileSizeLimit(std::min<uint64_t>(capacity.bytes, max_segment_bytes));
  spdlog::info("pool ready shm_dir={} capacity={} free={}",
               LogValue(directory->path()),
               LogValue(FormatByteSize(capacity.bytes)),
               LogValue(FormatByteSize(directory->FreeBytes().value_or(0))));
}

void LogLeasesLeft(const Pool& pool) {
  const Pool::Stats stats = pool.stats();
  size_t logged = 0;
  for (const BufferListing& buffer : pool.ListAll(kMostLeasesLogged)) {
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
