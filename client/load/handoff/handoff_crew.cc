#include "client/load/handoff/handoff_crew.h"

#include <poll.h>

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// Between two looks at whether to go on.
constexpr absl::Duration kTick = absl::Milliseconds(100);

}  // namespace

absl::Status HandoffCrew::StartConsumers(
    const std::function<bool()>& cancelled) {
  return StartAll(/*producers=*/false, cancelled);
}

absl::Status HandoffCrew::StartProducers(
    const std::function<bool()>& cancelled) {
  return StartAll(/*producers=*/true, cancelled);
}

absl::Status HandoffCrew::StartAll(bool producers,
                                   const std::function<bool()>& cancelled) {
  for (int pair = 0; pair < pairs_; ++pair) {
    const HandoffRole role = {producers, pair, directory_};
    ASSIGN_OR_RETURN(
        SelfProcess process,
        SelfProcess::Start(
            absl::StrCat("--", kHandoffRoleFlag, "=", AbslUnparseFlag(role)),
            argv_));
    children_.push_back({.role = role, .process = std::move(process)});
  }
  const auto is_ready = [](const Child& child) { return child.ready; };
  while (!std::all_of(children_.begin(), children_.end(), is_ready)) {
    ReadEvents(kTick);
    if (!failures_.empty()) {
      return absl::AbortedError(absl::StrJoin(failures_, "; "));
    }
    if (cancelled()) return absl::CancelledError("stopped");
  }
  return absl::OkStatus();
}

void HandoffCrew::Go() {
  for (Child& child : children_) {
    if (child.role.is_producer) child.process.Go();
  }
}

void HandoffCrew::ReadEvents(absl::Duration timeout) {
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

void HandoffCrew::ReadFrom(Child& child) {
  const std::optional<std::string> ended = child.process.Read(&child.parser);
  load::HandoffEvent event;
  while (child.parser.Next(&event)) Handle(child, event);
  if (!ended.has_value() || child.told) return;
  RecordFailure(child, absl::StrCat("process ", child.process.pid(), " ",
                                    *ended, " in the midst of the run"));
}

void HandoffCrew::Handle(Child& child, const load::HandoffEvent& event) {
  switch (event.event_case()) {
    case load::HandoffEvent::kReady: child.ready = true; break;
    case load::HandoffEvent::kRounds: child.rounds = event.rounds(); break;
    case load::HandoffEvent::kResult: {
      child.told = true;
      const PairMeasurement result = FromParts(event.result());
      for (const auto& [via, one] : result.vias) {
        measured_.vias[via].Merge(one);
      }
      measured_.elapsed = std::max(measured_.elapsed, result.elapsed);
      if (!result.status.ok()) {
        RecordFailure(
            child, absl::StrCat(absl::StatusCodeToString(result.status.code()),
                                ": ", std::string(result.status.message())));
      }
      break;
    }
    case load::HandoffEvent::kFailure:
      child.told = true;
      RecordFailure(child, event.failure());
      break;
    case load::HandoffEvent::EVENT_NOT_SET: break;
  }
}

void HandoffCrew::RecordFailure(const Child& child, const std::string& what) {
  failures_.push_back(
      absl::StrCat(child.role.is_producer ? "producer " : "consumer ",
                   child.role.pair, ": ", what));
  StopProducers();
}

bool HandoffCrew::WaitDone(absl::Duration timeout) {
  ReadEvents(timeout);
  return std::all_of(
      children_.begin(), children_.end(), [](const Child& child) {
        return !child.role.is_producer || child.process.events() < 0;
      });
}

void HandoffCrew::StopProducers() {
  for (Child& child : children_) {
    if (child.role.is_producer) child.process.Stop();
  }
}

uint64_t HandoffCrew::rounds() const {
  uint64_t sum = 0;
  for (const Child& child : children_) sum += child.rounds;
  return sum;
}

void HandoffCrew::StopAll() {
  for (Child& child : children_) child.process.Stop();
  children_.clear();
}

}  // namespace warmpool
