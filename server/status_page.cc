#include "server/status_page.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "core/base/status_macros.h"
#include "server/log/log_value.h"
#include "server/wire/conversion.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

constexpr size_t kMostHolders = 1000;

http::Status StatusOf(bool shows_holders, StatsSource* stats,
                      const Pool& pool) {
  http::Status status;
  stats->Fill(status.mutable_stats());
  status.set_holders_shown(shows_holders);
  if (!shows_holders) {
    HideProcesses(status.mutable_stats());
    return status;
  }
  std::vector<v1::HolderUsage> holders =
      stats->Holders([](const Holder&) { return true; });
  holders.resize(std::min(holders.size(), kMostHolders));
  status.mutable_holders()->Add(holders.begin(), holders.end());
  for (const UnheldLease& lease :
       pool.UnheldLeases(std::nullopt, kMostHolders)) {
    *status.add_unheld() = ToProto(lease);
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> StartStatusPage(
    const StatusPageOptions& options, StatsSource* stats, const Pool* pool) {
  ASSIGN_OR_RETURN(
      std::unique_ptr<HttpServer> server,
      HttpServer::Start(
          options.listen,
          {.status = [shows_holders = options.shows_holders, stats,
                      pool] { return StatusOf(shows_holders, stats, *pool); },
           .ready = options.ready}));
  const HttpAddress& address = server->address();
  stats->SetMetricsListen(address.ToString());
  spdlog::info("metrics listen={} holders={}", LogValue(address.ToString()),
               options.shows_holders);
  if (!address.is_loopback()) {
    spdlog::warn(
        "metrics can be read from other machines listen={} remedy=\"listen on "
        "127.0.0.1, or keep others out with a firewall\"",
        LogValue(address.ToString()));
  }
  return server;
}

}  // namespace warmpool
