// Small text files, as the kernel and configurations have them.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_TEXT_FILES_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_TEXT_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace warmpool::doctor {

// Empty if the file can't be read.
std::string ReadText(const std::string& path);
std::vector<std::string> ReadLines(const std::string& path);

// The rest of the line that starts with `key`, without blanks around it:
// "MemTotal:" of "MemTotal:  12 kB" gives "12 kB". nullopt: no such line.
std::optional<std::string> ValueOf(const std::vector<std::string>& lines,
                                   absl::string_view key);

// The number that a text begins with, blanks before it aside; nullopt: none.
std::optional<uint64_t> NumberIn(absl::string_view text);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_TEXT_FILES_H_
