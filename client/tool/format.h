// Numbers as a person reads them, for the tables that the tools print.
#ifndef WARMPOOL_CLIENT_TOOL_FORMAT_H_
#define WARMPOOL_CLIENT_TOOL_FORMAT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace warmpool {

// "1,234,567".
std::string FormatCount(uint64_t count);

// Three significant digits: "850 ns", "12.3 us", "1.05 ms", "31.0 s".
std::string FormatLatency(absl::Duration latency);

// Two units at most: "0s", "59s", "2m05s", "3h07m", "4d02h".
std::string FormatAge(absl::Duration age);

// As a percentage, "99.7 %"; "-" of nothing.
std::string FormatShare(uint64_t part, uint64_t whole);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_FORMAT_H_
