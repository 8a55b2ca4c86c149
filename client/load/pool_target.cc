#include "client/load/pool_target.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

constexpr std::pair<TouchMode, absl::string_view> kNames[] = {
    {TouchMode::kNone, "none"},
    {TouchMode::kPages, "pages"},
    {TouchMode::kAll, "all"},
};

constexpr size_t kSmallPage = 4096;
constexpr uint64_t kPattern = 0x5741524d504f4f4c;  // "WARMPOOL"

LoadWarmth WarmthOf(const Buffer& buffer) {
  switch (buffer.warmth()) {
    case BufferWarmth::kWarm: return LoadWarmth::kWarm;
    case BufferWarmth::kStock: return LoadWarmth::kStock;
    case BufferWarmth::kFresh: break;
  }
  return LoadWarmth::kFresh;
}

void TouchPages(Buffer& buffer) {
  // Of the last page there may be less than 8 bytes; its segment has them all,
  // but they are not the holder's.
  for (size_t at = 0; at < buffer.size(); at += kSmallPage) {
    const size_t bytes = std::min(sizeof(kPattern), buffer.size() - at);
    std::memcpy(buffer.data() + at, &kPattern, bytes);
  }
}

}  // namespace

bool AbslParseFlag(absl::string_view text, TouchMode* mode,
                   std::string* error) {
  for (const auto& [known, name] : kNames) {
    if (text == name) {
      *mode = known;
      return true;
    }
  }
  *error = absl::StrCat("\"", text, "\" is none of none, pages, all");
  return false;
}

std::string AbslUnparseFlag(TouchMode mode) {
  for (const auto& [known, name] : kNames) {
    if (mode == known) return std::string(name);
  }
  return "";
}

absl::StatusOr<LoadWarmth> PoolTarget::Lease(size_t slot, uint64_t bytes) {
  ASSIGN_OR_RETURN(Buffer buffer, client_.Lease(bytes));
  buffers_[slot] = std::move(buffer);
  return WarmthOf(buffers_[slot]);
}

bool PoolTarget::Touch(size_t slot) {
  Buffer& buffer = buffers_[slot];
  switch (touch_) {
    case TouchMode::kNone: return false;
    case TouchMode::kPages: TouchPages(buffer); return true;
    case TouchMode::kAll:
      std::memset(buffer.data(), static_cast<int>(kPattern & 0xff),
                  buffer.size());
      return true;
  }
  return false;
}

absl::Status PoolTarget::Release(size_t slot) {
  // Moved out: if the release fails, the buffer is given up all the same.
  Buffer buffer = std::move(buffers_[slot]);
  return buffer.Release();
}

}  // namespace warmpool
