#include "client/load/process_crew.h"

#include <poll.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/load/client_event.h"
#include "client/load/load_flags.h"
#include "core/base/status_macros.h"

namespace warmpool {

absl::StatusOr<std::unique_ptr<ProcessCrew>> ProcessCrew::Spawn(int clients,
                                                                char** argv) {
  std::unique_ptr<ProcessCrew> crew(new ProcessCrew());
  for (int i = 0; i < clients; ++i) {
    ASSIGN_OR_RETURN(SelfProcess process,
                     SelfProcess::Start(
                         absl::StrCat("--", kClientProcessFlag, "=", i), argv));
    crew->children_.push_back({.process = std::move(process)});
  }
  return crew;
}

ProcessCrew::~ProcessCrew() {
  Stop();
  while (!WaitDone(absl::Seconds(1))) continue;
}

void ProcessCrew::ReadEvents(absl::Duration timeout) {
  std::vector<pollfd> polled;
  for (const Child& child : children_) {
    // poll(2) passes over the negative ones.
    polled.push_back(
        {.fd = child.process.events(), .events = POLLIN, .revents = 0});
  }
  if (poll(polled.data(), polled.size(),
           static_cast<int>(absl::ToInt64Milliseconds(timeout))) <= 0) {
    return;
  }
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents != 0) ReadFrom(children_[i]);
  }
}

void ProcessCrew::ReadFrom(Child& child) {
  const std::optional<std::string> ended = child.process.Read(&child.parser);
  load::ClientEvent event;
  while (child.parser.Next(&event)) Handle(child, event);
  if (ended.has_value()) RecordEnd(child, *ended);
}

void ProcessCrew::Handle(Child& child, const load::ClientEvent& event) {
  switch (event.event_case()) {
    case load::ClientEvent::kReady: child.ready = true; break;
    case load::ClientEvent::kProgress:
      child.progress = event.progress().leases();
      break;
    case load::ClientEvent::kMeasurement:
      measured_.Merge(FromParts(event.measurement()));
      child.measured = true;
      break;
    case load::ClientEvent::EVENT_NOT_SET: break;
  }
}

void ProcessCrew::RecordEnd(const Child& child,
                            const std::string& how_it_ended) {
  if (child.measured) return;
  measured_.RecordFailure(
      Operation::kProcess,
      absl::AbortedError(absl::StrCat("client process ", child.process.pid(),
                                      " ", how_it_ended, " without a result")));
}

bool ProcessCrew::WaitReady(absl::Duration timeout) {
  ReadEvents(timeout);
  return std::all_of(children_.begin(), children_.end(),
                     [](const Child& child) {
                       return child.ready || child.process.events() < 0;
                     });
}

void ProcessCrew::Start() {
  for (Child& child : children_) child.process.Go();
}

bool ProcessCrew::WaitDone(absl::Duration timeout) {
  ReadEvents(timeout);
  return std::all_of(
      children_.begin(), children_.end(),
      [](const Child& child) { return child.process.events() < 0; });
}

uint64_t ProcessCrew::progress() const {
  uint64_t sum = 0;
  for (const Child& child : children_) sum += child.progress;
  return sum;
}

void ProcessCrew::Stop() {
  for (Child& child : children_) child.process.Stop();
}

}  // namespace warmpool
