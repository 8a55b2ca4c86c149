// WatchStats, WatchBuffers: streams of the daemon's, read on the caller's
// thread until the caller has enough or the daemon goes away. They do not wait
// for a daemon, and have no deadline.
//
// Errors are those of the RPC and of DaemonChannel::Explain. UNAVAILABLE: the
// daemon has gone away. FAILED_PRECONDITION: in a forked process.
#ifndef WARMPOOL_CLIENT_ADMIN_WATCHING_H_
#define WARMPOOL_CLIENT_ADMIN_WATCHING_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/rpc/daemon_channel.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Until `on_stats` returns false: OK.
absl::Status WatchStats(
    DaemonChannel* channel, absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats);

// Until `on_event` returns false: OK.
absl::Status WatchBuffers(
    DaemonChannel* channel, const std::string& name_prefix,
    const std::function<bool(const v1::BufferEvent&)>& on_event);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_ADMIN_WATCHING_H_
