#include "server/log/log_level.h"

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

struct Level {
  const char* name;
  v1::LogLevel wire;
  spdlog::level::level_enum value;
};

constexpr Level kLevels[] = {
    {"trace", v1::LOG_LEVEL_TRACE, spdlog::level::trace},
    {"debug", v1::LOG_LEVEL_DEBUG, spdlog::level::debug},
    {"info", v1::LOG_LEVEL_INFO, spdlog::level::info},
    {"warn", v1::LOG_LEVEL_WARN, spdlog::level::warn},
    {"error", v1::LOG_LEVEL_ERROR, spdlog::level::err},
    {"off", v1::LOG_LEVEL_OFF, spdlog::level::off},
};

v1::LogLevel CurrentLevel() {
  const spdlog::level::level_enum current = spdlog::get_level();
  for (const Level& level : kLevels) {
    if (level.value == current) return level.wire;
  }
  return v1::LOG_LEVEL_UNSPECIFIED;
}

}  // namespace

absl::Status SetLogLevel(absl::string_view name) {
  for (const Level& level : kLevels) {
    if (name != level.name) continue;
    spdlog::set_level(level.value);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", name,
                   "\" is none of trace, debug, info, warn, error, off"));
}

absl::StatusOr<v1::LogLevel> ExchangeLogLevel(v1::LogLevel level) {
  const v1::LogLevel before = CurrentLevel();
  if (level == v1::LOG_LEVEL_UNSPECIFIED) return before;
  for (const Level& known : kLevels) {
    if (known.wire != level) continue;
    spdlog::set_level(known.value);
    return before;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no log level ", static_cast<int>(level)));
}

}  // namespace warmpool
