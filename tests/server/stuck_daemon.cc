// warmpoold with a thread that gets stuck: WARMPOOL_STUCK_FILE=PATH. From when
// that file exists, a proof of a segment (F_SETLEASE) or a change of one's mode
// (fchmod, for a seal) never returns.
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <string>

#include "server/run_daemon.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

void GetStuckIn(FaultySystemCalls* calls, SystemCalls::Call call,
                const std::string& file) {
  calls->BeforeNext(call, [=] {
    while (access(file.c_str(), F_OK) == 0) pause();
    GetStuckIn(calls, call, file);
  });
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  // Never destroyed: the daemon's threads use them to the end.
  auto* const calls = new warmpool::FaultySystemCalls;
  const std::string file = std::getenv("WARMPOOL_STUCK_FILE");
  for (const auto call : {warmpool::SystemCalls::Call::kFcntl,
                          warmpool::SystemCalls::Call::kChmod}) {
    warmpool::GetStuckIn(calls, call, file);
  }
  return warmpool::RunDaemon(argc, argv, [=](warmpool::DaemonOptions* options) {
    options->calls = calls;
  });
}
