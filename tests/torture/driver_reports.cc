// What the driver does with its clients' reports: it tells the model, in their
// order, and other clients at once.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/torture/driver.h"

namespace warmpool::torture {

void Driver::ReadReports(absl::Duration span) {
  const absl::Time read = crew_.Read(span);
  counts_.longest_blindness =
      std::max(counts_.longest_blindness, read - last_read_);
  last_read_ = read;
  timeline_.OnAllRead(read);
  while (const std::optional<Timeline::Event> event = timeline_.Next()) {
    if (!event->report.has_value()) {
      model_.OnClientDied(event->client, event->at);
      continue;
    }
    ++counts_.reports;
    const std::optional<std::string> wrong =
        model_.Apply(event->client, *event->report);
    if (wrong.has_value() && !breach_.has_value()) breach_ = wrong;
  }
}

void Driver::OnReport(int client, const Report& report) {
  Note(absl::StrCat("client ", client, ": ", report.ToLine()));
  timeline_.Add(client, report);
  saboteur_.OnReport(client, report, daemon_);
  if (report.kind == Report::Kind::kPaused) paused_[client] = report.request;
  Relay(client, report);
}

void Driver::Relay(int client, const Report& report) {
  switch (report.kind) {
    case Report::Kind::kStamped:
      // Every other one.
      if (report.text.empty() || relay_random_() % 2 == 0) return;
      return Offer(client, {.kind = Command::Kind::kAttach,
                            .name = report.text,
                            .stamper = report.lease});
    case Report::Kind::kPromised:
    case Report::Kind::kSealed:
      // To none, one or two.
      for (uint64_t left = relay_random_() % 3; left > 0; --left) {
        Offer(client, {.kind = Command::Kind::kRead,
                       .name = report.text,
                       .stamper = report.lease});
      }
      return;
    case Report::Kind::kTicketed:
      // None: it expires. One of two may get it.
      for (uint64_t left = relay_random_() % 3; left > 0; --left) {
        Offer(client, {.kind = Command::Kind::kClaim,
                       .number = report.generation,
                       .name = report.text,
                       .stamper = report.lease});
      }
      return;
    default: return;
  }
}

void Driver::Offer(int client, const Command& command) {
  const std::optional<int> other = Victim(relay_random_());
  if (!other.has_value() || *other == client) return;
  crew_.Send(*other, command.ToLine());
}

}  // namespace warmpool::torture
