// Timeline: what clients report, and their ends, in the order of their own
// times.
//
// The driver reads one pipe after the other, and may get no processor in
// between: what it reads first need not have happened first. So an event is
// kept until everything has been read that any process reported before it.
//
// A client reports what it is about to do before it does it, and what it has
// done after. Whatever led to an event was therefore reported, and has its
// time, before that event has its own. A report whose process got no processor
// between the look at the clock and the write may come after later ones were
// handed on, and comes next: what it has done was announced before, and what it
// is about to do has not begun.
//
// Not thread-safe.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_TIMELINE_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_TIMELINE_H_

#include <cstddef>
#include <map>
#include <optional>

#include "absl/time/time.h"
#include "tests/torture/report.h"

namespace warmpool::torture {

class Timeline {
 public:
  struct Event {
    int client = 0;
    // When a client's end began; of a report its place among the others, which
    // is its own time but for those that a dying client still made.
    absl::Time at = {};
    // nullopt: the client's process is gone.
    std::optional<Report> report = {};
  };

  void Add(int client, const Report& report);

  // The client's process was alive at `at` and is gone; every report that it
  // made was added. Its end may have had consequences from `at` on, so what it
  // reported later comes before its end, and its end before all else.
  void AddEnd(int client, absl::Time at);

  // Every report that was made before `until` has been added.
  void OnAllRead(absl::Time until) { read_until_ = until; }

  // Takes the next event off, if it is certain which one that is.
  std::optional<Event> Next();

  size_t waiting() const { return events_.size(); }

 private:
  // Those of one time in the order in which they were added.
  std::multimap<absl::Time, Event> events_;
  absl::Time read_until_ = absl::InfinitePast();
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_TIMELINE_H_
