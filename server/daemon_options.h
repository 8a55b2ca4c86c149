// DaemonOptions: what a daemon is started with. The flags give it
// (daemon_flags.h).
#ifndef WARMPOOL_SERVER_DAEMON_OPTIONS_H_
#define WARMPOOL_SERVER_DAEMON_OPTIONS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/engine/uid_quota.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/huge_pages.h"
#include "core/pool/pool.h"
#include "server/clients/admission.h"
#include "server/clients/peer.h"
#include "server/http/http_address.h"
#include "server/sizing.h"
#include "server/transport/grpc_server.h"

namespace warmpool {

struct DaemonOptions {
  // Those for segments, and those for the journal. Null: the kernel's.
  SystemCalls* calls = nullptr;
  SystemCalls* journal_calls = nullptr;
  // Where the processes behind connections are looked up. Null: the kernel.
  PeerSource* peers = nullptr;
  // "unix:PATH".
  std::string listen;
  // A socket that listens there, which the daemon takes over. -1: it makes one.
  int passed_socket = -1;
  std::string shm_dir;
  // The capacity is never more than the machine has (SizePool).
  WantedSizes sizes;
  // Of segments of 2 MiB and more.
  HugePages::Use huge_pages = HugePages::Use::kAuto;
  // The daemon sets its capacity, byte caps, overhead and callbacks.
  Pool::Options pool;
  // How long a stopping daemon waits for leases to be released, and grants none
  // meanwhile. None is lost without it: the next daemon takes them up.
  absl::Duration drain_timeout = absl::ZeroDuration();
  // Called once as it begins to stop, whoever asked for it.
  std::function<void()> on_stopping;
  GrpcServerOptions grpc;
  // Who is served besides root and the daemon's own uid, and who commands.
  Admission::Options admission;
  size_t max_connections_per_uid = 1024;
  // Where the status page and the metrics are served. nullopt: nowhere.
  std::optional<HttpAddress> metrics_listen;
  // Whether they tell who holds what, to whoever can connect.
  bool metrics_holders = false;
  // Leases and bytes of one uid.
  UidQuota::Options uid_quota;
  // How often `on_alive` is called, for as long as the serving and the
  // maintenance thread make progress. nullopt: never.
  std::optional<absl::Duration> watchdog_period;
  std::function<void()> on_alive;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DAEMON_OPTIONS_H_
