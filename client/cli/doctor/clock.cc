#include "client/cli/doctor/clock.h"

#include <time.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "client/cli/doctor/text_files.h"

namespace warmpool::doctor {
namespace {

constexpr char kSources[] = "/sys/devices/system/clocksource/clocksource0/";
// A reading that enters the kernel, or asks a device, takes longer. A few of
// them are a hundredth of a call.
constexpr double kSlowNanoseconds = 250;
constexpr int kReadings = 1000;
constexpr int kRuns = 5;

// Of the fastest of a few runs: what else happens only adds to it.
double Measure() {
  double fastest = 1e12;
  for (int run = 0; run < kRuns; ++run) {
    timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < kReadings; ++i) clock_gettime(CLOCK_MONOTONIC, &now);
    const double elapsed =
        1e9 * static_cast<double>(now.tv_sec - begin.tv_sec) +
        static_cast<double>(now.tv_nsec - begin.tv_nsec);
    fastest = std::min(fastest, elapsed / kReadings);
  }
  return fastest;
}

std::string ReadWord(const std::string& path) {
  return std::string(absl::StripAsciiWhitespace(ReadText(path)));
}

// One that the processor reads by itself.
std::string FastSourceOf(const ClockReadings& readings) {
  for (const absl::string_view source :
       absl::StrSplit(readings.available_sources, ' ')) {
    for (const absl::string_view fast :
         {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page",
          "arch_sys_counter"}) {
      if (source == fast && source != readings.source) return std::string(fast);
    }
  }
  return "";
}

}  // namespace

ClockReadings ReadClock(const std::string& root) {
  return {
      .source = ReadWord(absl::StrCat(root, kSources, "current_clocksource")),
      .available_sources =
          ReadWord(absl::StrCat(root, kSources, "available_clocksource")),
      .nanoseconds_each = Measure()};
}

Check CheckClock(const ClockReadings& readings) {
  const std::string value = absl::StrFormat(
      "%s, %.0f ns a reading",
      readings.source.empty() ? "source not known" : readings.source,
      readings.nanoseconds_each);
  if (readings.nanoseconds_each < kSlowNanoseconds) return Ok("clock", value);
  const std::string fast = FastSourceOf(readings);
  return Warn("clock", absl::StrCat(value, ": every call pays for it"),
              fast.empty()
                  ? "start the kernel with clocksource=tsc tsc=reliable, if "
                    "the machine's counter is"
                  : absl::StrCat("echo ", fast, " > ", kSources,
                                 "current_clocksource"));
}

}  // namespace warmpool::doctor
