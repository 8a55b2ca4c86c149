// A series of the daemon's statistics, a line for each.
#ifndef WARMPOOL_CLIENT_CLI_WATCH_TEXT_H_
#define WARMPOOL_CLIENT_CLI_WATCH_TEXT_H_

#include <optional>
#include <string>

#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Not thread-safe.
class WatchText {
 public:
  // What there is now, and rates since the answer before (of the same daemon).
  // Starts with the columns' names once in a screenful.
  std::string Line(const v1::GetStatsResponse& stats);

 private:
  int lines_ = 0;
  std::optional<v1::GetStatsResponse> last_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_WATCH_TEXT_H_
