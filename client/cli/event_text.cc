#include "client/cli/event_text.h"

#include "absl/strings/str_format.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

const char* KindText(v1::BufferEvent::Kind kind) {
  switch (kind) {
    case v1::BufferEvent::KIND_CREATED: return "created";
    case v1::BufferEvent::KIND_SEALED: return "sealed";
    case v1::BufferEvent::KIND_ENDED: return "ended";
    case v1::BufferEvent::KIND_RESYNC: return "resync";
    default: return "unknown";
  }
}

}  // namespace

cli::BufferEvent MakeEvent(const v1::BufferEvent& event, absl::Time time) {
  cli::BufferEvent made;
  made.set_time(
      absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()));
  made.set_kind(KindText(event.kind()));
  made.set_name(event.name());
  made.set_uid(event.uid());
  made.set_generation(event.generation());
  made.set_size_bytes(event.size_bytes());
  return made;
}

std::string EventLine(const v1::BufferEvent& event, absl::Time time,
                      absl::TimeZone zone) {
  const std::string when = absl::FormatTime("%H:%M:%E3S", time, zone);
  if (event.kind() == v1::BufferEvent::KIND_RESYNC) {
    return absl::StrFormat("%s  resync   what was before: warmpool list\n",
                           when);
  }
  return absl::StrFormat("%s  %-7s  %10s  %s\n", when, KindText(event.kind()),
                         FormatByteSize(event.size_bytes()), event.name());
}

}  // namespace warmpool
