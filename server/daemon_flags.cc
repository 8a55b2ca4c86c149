#include "server/daemon_flags.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/marshalling.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/flags/usage_config.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"
#include "core/engine/uid_quota.h"
#include "server/clients/accounts.h"
#include "server/log/log_level.h"

namespace warmpool {

// A flag that is a size, or a word for none.
template <const char* kWord>
struct SizeOr {
  std::optional<uint64_t> bytes;
};

template <const char* kWord>
bool AbslParseFlag(absl::string_view text, SizeOr<kWord>* flag,
                   std::string* error) {
  flag->bytes.reset();
  if (text == kWord) return true;
  ByteSize size;
  if (!AbslParseFlag(text, &size, error)) return false;
  flag->bytes = size.bytes;
  return true;
}

template <const char* kWord>
std::string AbslUnparseFlag(const SizeOr<kWord>& flag) {
  return flag.bytes.has_value() ? AbslUnparseFlag(ByteSize{*flag.bytes})
                                : kWord;
}

inline constexpr char kAuto[] = "auto";
inline constexpr char kNone[] = "none";
using SizeOrAuto = SizeOr<kAuto>;
using SizeOrNone = SizeOr<kNone>;

// A flag that is an address or "none".
struct HttpAddressFlag {
  std::optional<HttpAddress> address;
};

bool AbslParseFlag(absl::string_view text, HttpAddressFlag* flag,
                   std::string* error) {
  flag->address.reset();
  if (text == "none") return true;
  const absl::StatusOr<HttpAddress> address = HttpAddress::Parse(text);
  if (!address.ok()) {
    *error = std::string(address.status().message());
    return false;
  }
  flag->address = *address;
  return true;
}

std::string AbslUnparseFlag(const HttpAddressFlag& flag) {
  return flag.address.has_value() ? flag.address->ToString() : "none";
}

// A flag that is a number of slots or "adaptive".
struct SlotsFlag {
  std::optional<size_t> slots = BigCache::Options().slots;
};

bool AbslParseFlag(absl::string_view text, SlotsFlag* flag,
                   std::string* error) {
  if (text == "adaptive") {
    flag->slots.reset();
    return true;
  }
  if (absl::ParseFlag(text, &flag->slots.emplace(), error)) return true;
  *error = absl::StrCat("\"", text, "\" is neither a number nor \"adaptive\"");
  return false;
}

std::string AbslUnparseFlag(const SlotsFlag& flag) {
  return flag.slots.has_value() ? absl::StrCat(*flag.slots) : "adaptive";
}

// A flag that says whether segments are to have huge pages.
struct HugePagesFlag {
  HugePages::Use use = DaemonOptions().huge_pages;
};

constexpr std::pair<const char*, HugePages::Use> kHugePageUses[] = {
    {"auto", HugePages::Use::kAuto},
    {"never", HugePages::Use::kNever},
    {"require", HugePages::Use::kRequire},
};

bool AbslParseFlag(absl::string_view text, HugePagesFlag* flag,
                   std::string* error) {
  for (const auto& [name, use] : kHugePageUses) {
    if (text != name) continue;
    flag->use = use;
    return true;
  }
  *error = absl::StrCat("\"", text, "\" is none of auto, never, require");
  return false;
}

std::string AbslUnparseFlag(const HugePagesFlag& flag) {
  for (const auto& [name, use] : kHugePageUses) {
    if (flag.use == use) return name;
  }
  return "";
}

}  // namespace warmpool

ABSL_FLAG(std::string, listen, "",
          "Socket to serve on, unix:PATH. Default: that which the service "
          "manager passes (LISTEN_FDS), else "
          "unix:/run/warmpool/warmpool.sock for root, "
          "unix:$XDG_RUNTIME_DIR/warmpool.sock or, without that, "
          "unix:/tmp/warmpool-UID/warmpool.sock for others");
ABSL_FLAG(
    std::string, shm_dir, "",
    "Directory of the segments, on a tmpfs; its last component is made "
    "where it is missing. It is the daemon's own: unknown files in it are "
    "quarantined and removed once nobody has them open; one that has "
    "files in it and was never Warmpool's is refused. Default: "
    "/dev/shm/warmpool-UID");
ABSL_FLAG(warmpool::SizeOrAuto, capacity_bytes, {},
          "Bytes of all segments together (4G, 512MiB, ...), at most what the "
          "filesystem of --shm_dir has and the daemon's control groups allow; "
          "auto: half of what is free there and the directory holds");
ABSL_FLAG(warmpool::ByteSize, max_buffer_bytes,
          {warmpool::SizeClasses::kDefaultMaxBytes},
          "Largest buffer that can be leased");
ABSL_FLAG(
    warmpool::HugePagesFlag, huge_pages, {},
    "Pages of 2 MiB for segments of 2 MiB and more. auto: where the kernel "
    "has them; never; require: or the daemon does not start, and a lease "
    "that can't have them is refused");
ABSL_FLAG(warmpool::SlotsFlag, bigcache_slots, {},
          "Segments that BigCache retains for each uid and size class, such as "
          "4; adaptive: the recent peak-to-trough of demand");
ABSL_FLAG(warmpool::SizeOrAuto, bigcache_bytes, {},
          "Bytes that BigCache retains at most; auto: half of the capacity");
ABSL_FLAG(absl::Duration, bigcache_decay, absl::Seconds(10),
          "A retained segment that nobody asks for is evicted after this long, "
          "and so is stock; inf: never");
ABSL_FLAG(
    warmpool::SizeOrAuto, stock_bytes, {},
    "Bytes of segments made ahead of demand, for leases that find nothing "
    "retained; auto: a sixteenth of the capacity, 256 MiB at most; 0: "
    "none");
ABSL_FLAG(warmpool::ByteSize, batch_threshold_bytes,
          {warmpool::UnmapBatch::kDefaultThresholdBytes},
          "Evicted segments are ended together once they add up to this");
ABSL_FLAG(absl::Duration, batch_max_age, absl::Milliseconds(200),
          "Evicted segments are ended after this long even when they do not "
          "add up to the threshold; inf: they wait");
ABSL_FLAG(absl::Duration, default_ttl, absl::Seconds(60),
          "Time to live of leases that ask for none; 0: as long as their "
          "process lives. The client library renews its leases");
ABSL_FLAG(absl::Duration, max_ttl, absl::Hours(24),
          "Longer times to live are cut to this");
ABSL_FLAG(absl::Duration, drain_timeout, absl::ZeroDuration(),
          "How long a stopping daemon waits for leases to be released, and "
          "grants none; those that are left go on with the next daemon");
ABSL_FLAG(std::string, allow_uid, "",
          "Users that a root daemon serves besides root: numbers or names, "
          "separated by commas");
ABSL_FLAG(std::string, allow_gid, "",
          "Groups whose members a root daemon serves: numbers or names, "
          "separated by commas");
ABSL_FLAG(std::string, admin_uid, "",
          "Users that see and command all, besides root and the daemon's own; "
          "a root daemon serves them too");
ABSL_FLAG(size_t, max_connections_per_uid, 1024,
          "Connections that the processes of one uid may have together");
ABSL_FLAG(size_t, max_leases_per_uid, warmpool::UidQuota::Options().max_leases,
          "Leases that the processes of one uid may have together");
ABSL_FLAG(warmpool::SizeOrNone, max_bytes_per_uid, {},
          "Bytes that the processes of one uid may lease together, such as "
          "1GiB; none: the capacity");
ABSL_FLAG(absl::Duration, ping_interval,
          warmpool::GrpcServerOptions().ping_interval,
          "A client with calls under way that says nothing is pinged after "
          "this long; inf: never");
ABSL_FLAG(absl::Duration, ping_timeout,
          warmpool::GrpcServerOptions().ping_timeout,
          "Its connection is cut when a ping is unanswered for this long; its "
          "leases stay");
ABSL_FLAG(absl::Duration, busy_poll, warmpool::GrpcServerOptions().busy_poll,
          "After a request, ask for the next one again and again for so long "
          "before sleeping: halves the latency of clients that do the same, "
          "for a core that is busy while they ask. 50us is plenty; 0: off");

ABSL_FLAG(warmpool::HttpAddressFlag, metrics_listen, {},
          "Address of the status page and of metrics for Prometheus, HOST:PORT "
          "such as 127.0.0.1:9464: / for people, /metrics, /healthz, /readyz. "
          "Every local user can read them; none: there are none");
ABSL_FLAG(
    bool, metrics_holders, false,
    "Show there who holds what, and whose lease was refused last and why, "
    "too");
ABSL_FLAG(bool, reflection, false,
          "Serve gRPC reflection, for grpcurl and the like");
ABSL_FLAG(
    std::string, log_level, "info",
    "trace, debug, info, warn, error or off; warmpool log-level changes it "
    "while the daemon runs");

namespace warmpool {
namespace {

constexpr char kUsage[] =
    "The Warmpool daemon: leases named shared-memory buffers to the processes "
    "of this machine.\n\n"
    "  warmpoold --listen=unix:/tmp/warmpool.sock --capacity_bytes=4GiB\n\n"
    "Sizes are written 4096, 64KiB, 2MiB, 4G; durations 200ms, 10s, 5m, inf.\n"
    "SIGTERM stops it, and leases go on with the next daemon; with\n"
    "--drain_timeout it waits for them first, until a second SIGTERM. SIGINT,\n"
    "SIGQUIT and SIGXCPU do the same; SIGHUP, SIGUSR1 and the like do nothing.";

absl::Status CheckDurations() {
  const std::pair<const char*, absl::Duration> durations[] = {
      {"bigcache_decay", absl::GetFlag(FLAGS_bigcache_decay)},
      {"batch_max_age", absl::GetFlag(FLAGS_batch_max_age)},
      {"default_ttl", absl::GetFlag(FLAGS_default_ttl)},
      {"max_ttl", absl::GetFlag(FLAGS_max_ttl)},
      {"drain_timeout", absl::GetFlag(FLAGS_drain_timeout)},
      {"ping_interval", absl::GetFlag(FLAGS_ping_interval)},
      {"ping_timeout", absl::GetFlag(FLAGS_ping_timeout)},
  };
  for (const auto& [flag, value] : durations) {
    if (value >= absl::ZeroDuration()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--", flag, "=", absl::FormatDuration(value), " is negative"));
  }
  return absl::OkStatus();
}

// A list of accounts as an error names it.
template <typename Ids>
absl::Status SetAccounts(const char* flag, const absl::StatusOr<Ids>& parsed,
                         Ids* ids) {
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", flag, ": ", parsed.status().message()));
  }
  *ids = *parsed;
  return absl::OkStatus();
}

absl::Status SetAdmission(Admission::Options* admission) {
  absl::Status status =
      SetAccounts("allow_uid", ParseUsers(absl::GetFlag(FLAGS_allow_uid)),
                  &admission->allowed_uids);
  status.Update(SetAccounts("allow_gid",
                            ParseGroups(absl::GetFlag(FLAGS_allow_gid)),
                            &admission->allowed_gids));
  status.Update(SetAccounts("admin_uid",
                            ParseUsers(absl::GetFlag(FLAGS_admin_uid)),
                            &admission->admin_uids));
  return status;
}

void SetLimits(DaemonOptions* options) {
  options->max_connections_per_uid =
      absl::GetFlag(FLAGS_max_connections_per_uid);
  UidQuota::Options& quota = options->uid_quota;
  quota.max_leases = absl::GetFlag(FLAGS_max_leases_per_uid);
  quota.max_bytes =
      absl::GetFlag(FLAGS_max_bytes_per_uid).bytes.value_or(quota.max_bytes);
}

}  // namespace

absl::StatusOr<DaemonOptions> ParseDaemonFlags(int argc, char** argv) {
  absl::SetProgramUsageMessage(kUsage);
  // --help shows the flags of this file.
  absl::FlagsUsageConfig usage;
  usage.contains_helpshort_flags = [](absl::string_view file) {
    return absl::StrContains(file, "daemon_flags");
  };
  usage.contains_help_flags = usage.contains_helpshort_flags;
  usage.version_string = [] { return "warmpoold " WARMPOOL_VERSION "\n"; };
  absl::SetFlagsUsageConfig(usage);
  const std::vector<char*> rest = absl::ParseCommandLine(argc, argv);
  if (rest.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "unexpected argument \"", rest[1], "\": the daemon takes flags only"));
  }
  const absl::Status status = SetLogLevel(absl::GetFlag(FLAGS_log_level));
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--log_level: ", status.message()));
  }
  RETURN_IF_ERROR(CheckDurations());

  DaemonOptions options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.shm_dir = absl::GetFlag(FLAGS_shm_dir);
  if (options.shm_dir.empty()) options.shm_dir = DefaultShmDirectory();
  options.sizes = {.capacity_bytes = absl::GetFlag(FLAGS_capacity_bytes).bytes,
                   .bigcache_bytes = absl::GetFlag(FLAGS_bigcache_bytes).bytes,
                   .stock_bytes = absl::GetFlag(FLAGS_stock_bytes).bytes};
  SegmentPool::Options& segments = options.pool.segments;
  segments.max_segment_bytes = absl::GetFlag(FLAGS_max_buffer_bytes).bytes;
  if (segments.max_segment_bytes == 0 ||
      segments.max_segment_bytes > SizeClasses::kMaxMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max_buffer_bytes=", segments.max_segment_bytes,
                     " is outside of 1 to ", SizeClasses::kMaxMaxBytes));
  }
  options.huge_pages = absl::GetFlag(FLAGS_huge_pages).use;
  segments.bigcache.slots = absl::GetFlag(FLAGS_bigcache_slots).slots;
  segments.bigcache.decay = absl::GetFlag(FLAGS_bigcache_decay);
  segments.batch.threshold_bytes =
      absl::GetFlag(FLAGS_batch_threshold_bytes).bytes;
  segments.batch.max_age = absl::GetFlag(FLAGS_batch_max_age);
  options.pool.default_ttl = absl::GetFlag(FLAGS_default_ttl);
  options.pool.max_ttl = absl::GetFlag(FLAGS_max_ttl);
  options.drain_timeout = absl::GetFlag(FLAGS_drain_timeout);
  options.metrics_listen = absl::GetFlag(FLAGS_metrics_listen).address;
  options.metrics_holders = absl::GetFlag(FLAGS_metrics_holders);
  if (options.metrics_holders && !options.metrics_listen.has_value()) {
    return absl::InvalidArgumentError(
        "--metrics_holders shows nothing without --metrics_listen");
  }
  options.grpc.reflection = absl::GetFlag(FLAGS_reflection);
  options.grpc.busy_poll = absl::GetFlag(FLAGS_busy_poll);
  options.grpc.ping_interval = absl::GetFlag(FLAGS_ping_interval);
  options.grpc.ping_timeout = absl::GetFlag(FLAGS_ping_timeout);
  RETURN_IF_ERROR(SetAdmission(&options.admission));
  SetLimits(&options);
  return options;
}

}  // namespace warmpool
