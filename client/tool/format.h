// Numbers as a person reads them, for the tables that the tools print.
#ifndef WARMPOOL_CLIENT_TOOL_FORMAT_H_
#define WARMPOOL_CLIENT_TOOL_FORMAT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool {

// "1,234,567".
std::string FormatCount(uint64_t count);

// "hits 1,234, misses 5".
std::string FormatCounts(
    std::initializer_list<std::pair<absl::string_view, uint64_t>> counts);

// Three significant digits: "850 ns", "12.3 us", "1.05 ms", "31.0 s".
std::string FormatLatency(absl::Duration latency);

// Two units at most: "0s", "59s", "2m05s", "3h07m", "4d02h".
std::string FormatAge(absl::Duration age);

// As a percentage, "99.7 %"; "-" of nothing.
std::string FormatShare(uint64_t part, uint64_t whole);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_FORMAT_H_
