#include "tests/bench/segments/pool.h"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/runfile.h"

namespace warmpool::bench {
namespace {

std::vector<std::string> AllFlags(std::vector<std::string> flags,
                                  const std::string& directory) {
  flags.push_back("--default_ttl=0");
  // The last of two flags of a name counts.
  if (!directory.empty()) flags.push_back("--shm_dir=" + directory);
  return flags;
}

// For how long a daemon that is quiet has used no processor.
constexpr absl::Duration kQuiet = absl::Milliseconds(5);

// Nanoseconds that all threads of a process have run.
uint64_t ProcessorTime(pid_t pid) {
  uint64_t all = 0;
  for (const auto& thread : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid, "/task"))) {
    uint64_t ran = 0;
    std::ifstream(thread.path() / "schedstat") >> ran;
    all += ran;
  }
  return all;
}

}  // namespace

void Check(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

Client ConnectWithoutCache(const std::string& target) {
  ClientOptions options;
  options.lease_cache_bytes = 0;
  options.prefetch = false;
  return OrThrow(Client::Connect(target, options));
}

PoolUnderTest::PoolUnderTest(std::vector<std::string> flags,
                             const std::string& directory)
    : daemon_(AllFlags(std::move(flags), directory),
              testing::Runfile("server/warmpoold")),
      client_(ConnectWithoutCache(daemon_.target())),
      admin_(OrThrow(AdminCalls::Open(daemon_.target()))) {}

absl::Status PoolUnderTest::AwaitQuiet(uint64_t stock_bytes) {
  v1::ByteAccount bytes;
  const bool quiet = testing::Eventually([&] {
    bytes = Stats().bytes();
    if (bytes.batched_bytes() > 0 || bytes.stock_bytes() != stock_bytes) {
      return false;
    }
    // What is on order counts as stock before it is made.
    const uint64_t before = ProcessorTime(daemon_.pid());
    absl::SleepFor(kQuiet);
    return ProcessorTime(daemon_.pid()) == before;
  });
  return quiet ? absl::OkStatus()
               : absl::DeadlineExceededError(absl::StrCat(
                     "the daemon is not quiet: ", bytes.ShortDebugString()));
}

}  // namespace warmpool::bench
