#include "tests/torture/plan.h"

namespace warmpool::torture {
namespace {

using Action = Plan::Action;

// Out of a hundred events.
struct Weight {
  Action action;
  uint64_t share;
};
constexpr Weight kWeights[] = {
    {Action::kKillClient, 50}, {Action::kStopClient, 20},
    {Action::kKillServer, 16}, {Action::kTerminateServer, 6},
    {Action::kFill, 8},
};
constexpr uint64_t kAllShares = 100;

// A daemon makes some hundred calls while it recovers, and some ten for each
// lease and release.
constexpr uint64_t kLastFailpoint = 300;

}  // namespace

Plan::Event Plan::Next() {
  // All are drawn for every event, so that the options change what is done but
  // not what is drawn.
  Event event;
  event.after = Between(absl::Milliseconds(30), absl::Milliseconds(220));
  event.action = DrawAction();
  event.victim = random_();
  event.span = DrawSpan(event.action);
  const bool half = Below(2) == 0;
  const uint64_t failpoint = 1 + Below(kLastFailpoint);
  if (options_.failpoints && half) event.failpoint = failpoint;
  if (!Wanted(event.action)) event.action = Action::kNothing;
  return event;
}

bool Plan::Wanted(Action action) const {
  switch (action) {
    case Action::kNothing: return true;
    case Action::kKillClient: return options_.kill_clients;
    case Action::kStopClient: return options_.stop_clients;
    case Action::kKillServer:
    case Action::kTerminateServer: return options_.kill_server;
    case Action::kFill: return options_.fill;
  }
  return false;
}

Plan::Action Plan::DrawAction() {
  uint64_t draw = Below(kAllShares);
  for (const Weight& weight : kWeights) {
    if (draw < weight.share) return weight.action;
    draw -= weight.share;
  }
  return Action::kNothing;
}

absl::Duration Plan::DrawSpan(Action action) {
  const bool longer = Below(3) == 0;
  switch (action) {
    case Action::kStopClient:
      // Shorter, and longer, than the leases' times to live.
      return longer ? Between(absl::Seconds(2), absl::Seconds(6))
                    : Between(absl::Milliseconds(50), absl::Milliseconds(900));
    case Action::kFill:
      return Between(absl::Milliseconds(200), absl::Milliseconds(1500));
    default:
      // Mostly the next daemon comes at once.
      return longer ? Between(absl::ZeroDuration(), absl::Milliseconds(300))
                    : absl::ZeroDuration();
  }
}

absl::Duration Plan::Between(absl::Duration low, absl::Duration high) {
  const int64_t range = absl::ToInt64Microseconds(high - low);
  return low + absl::Microseconds(static_cast<int64_t>(
                   Below(static_cast<uint64_t>(range) + 1)));
}

}  // namespace warmpool::torture
