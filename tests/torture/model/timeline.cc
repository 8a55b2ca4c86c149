#include "tests/torture/model/timeline.h"

#include <utility>

namespace warmpool::torture {

void Timeline::Add(int client, const Report& report) {
  events_.emplace(report.time, Event{client, report.time, report});
}

void Timeline::AddEnd(int client, absl::Time at) {
  for (auto each = events_.upper_bound(at); each != events_.end();) {
    if (each->second.client != client) {
      ++each;
      continue;
    }
    Event event = std::move(each->second);
    each = events_.erase(each);
    event.at = at;
    events_.emplace(at, std::move(event));
  }
  events_.emplace(at, Event{client, at, std::nullopt});
}

std::optional<Timeline::Event> Timeline::Next() {
  const auto first = events_.begin();
  if (first == events_.end() || first->first >= read_until_) {
    return std::nullopt;
  }
  Event event = std::move(first->second);
  events_.erase(first);
  return event;
}

}  // namespace warmpool::torture
