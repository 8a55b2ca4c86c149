// Driver's messages from one client to others.
#include "tests/torture/driver.h"

namespace warmpool::torture {

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
    default:
      return;
  }
}

void Driver::Offer(int client, const Command& command) {
  const std::optional<int> other = Victim(relay_random_());
  if (!other.has_value() || *other == client) return;
  crew_.Send(*other, command.ToLine());
}

}  // namespace warmpool::torture
