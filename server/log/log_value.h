// Values in the lines of the log, whose shape is "what happened key=value ...".
// Keys are the same everywhere: lease, holder, pid, uid, command, buffer,
// bytes.
#ifndef WARMPOOL_SERVER_LOG_LOG_VALUE_H_
#define WARMPOOL_SERVER_LOG_LOG_VALUE_H_

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// For text: in quotes, and escaped, as a client may have chosen it (a process
// names itself): it can't end its line and begin another.
inline std::string LogValue(absl::string_view text) {
  return absl::StrCat("\"", absl::CEscape(text), "\"");
}

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LOG_LOG_VALUE_H_
