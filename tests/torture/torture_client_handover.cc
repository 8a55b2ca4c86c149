// How a client hands buffers over, and takes those of others.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "tests/torture/stamp.h"
#include "tests/torture/torture_client.h"

namespace warmpool::torture {
namespace {

// What the daemon says of a buffer that is there, but was not sealed in time.
constexpr absl::string_view kNotSealed = "is not sealed";
// What it says of a ticket that can be claimed later.
constexpr absl::string_view kStaysGood = "stays good";

}  // namespace

bool TortureClient::NoAnswer(const absl::Status& status) {
  if (absl::StrContains(status.message(), kNotSealed)) return false;
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsAborted(status) || absl::IsCancelled(status);
}

void TortureClient::TellOfFailure(uint64_t request, const absl::Status& status,
                                  bool unsure) {
  Tell({.kind = unsure ? Report::Kind::kUnsure : Report::Kind::kRefused,
        .request = request,
        .code = status.code(),
        .text = std::string(status.message())});
}

void TortureClient::DrawDestiny(Holding& holding) {
  const uint64_t draw = Below(100);
  if (draw < 25) {
    holding.destiny = Destiny::kSealed;
    // Half of them linger, for one to two seconds.
    if (Chance(50)) {
      holding.linger =
          absl::Milliseconds(1000 + static_cast<int64_t>(Below(1000)));
    }
  } else if (draw < 45) {
    holding.destiny = Destiny::kGiven;
  }
  if (holding.destiny == Destiny::kNone || Chance(85)) return;
  // So late that what nobody renews may have expired.
  holding.destined_at = MonotonicClock::Get().Now() +
                        absl::Milliseconds(static_cast<int64_t>(Below(2000)));
  holding.release_at = std::max(holding.release_at, holding.destined_at);
}

bool TortureClient::HandOver() {
  const absl::Time now = MonotonicClock::Get().Now();
  const auto due =
      std::find_if(held_.begin(), held_.end(), [now](const Holding& held) {
        return held.destiny != Destiny::kNone && held.destined_at <= now;
      });
  if (due == held_.end()) return false;
  if (due->destiny == Destiny::kSealed) {
    Seal(*due);
  } else {
    Give(static_cast<size_t>(due - held_.begin()));
  }
  return true;
}

void TortureClient::Seal(Holding& holding) {
  const uint64_t request = ++last_request_;
  Tell({.kind = Report::Kind::kSealing,
        .request = request,
        .lease = holding.id,
        .ttl = holding.linger});
  const absl::Status sealed = holding.buffer.Seal({.linger = holding.linger});
  if (!sealed.ok()) {
    const bool unsure =
        absl::IsUnavailable(sealed) || absl::IsDeadlineExceeded(sealed);
    TellOfFailure(request, sealed, unsure);
    // To be repeated where it may help.
    if (!unsure && Chance(50)) holding.destiny = Destiny::kNone;
    return;
  }
  holding.destiny = Destiny::kNone;
  Tell({.kind = Report::Kind::kSealed,
        .request = request,
        .lease = holding.id,
        .text = holding.buffer.name()});
  Check(holding);
}

void TortureClient::Give(size_t index) {
  Holding& holding = held_[index];
  holding.destiny = Destiny::kNone;
  const uint64_t generation = holding.buffer.generation();
  // What nobody claims takes room from the others: mostly not for long.
  const absl::Duration ttl = absl::Milliseconds(
      100 + static_cast<int64_t>(Chance(70) ? Below(500) : Below(2700)));
  const Report asking{.kind = Report::Kind::kTicketing,
                      .request = ++last_request_,
                      .lease = holding.id,
                      .ttl = ttl};
  Check(holding);
  Tell(asking);
  const absl::StatusOr<std::string> ticket =
      holding.buffer.MakeTicket({.ttl = ttl});
  if (ticket.ok()) {
    Tell({.kind = Report::Kind::kTicketed,
          .request = asking.request,
          .lease = holding.id,
          .generation = generation,
          .text = RandomId::FromBytes(*ticket)->ToHex()});
  } else {
    TellOfFailure(asking.request, ticket.status(), !holding.buffer.valid());
  }
  if (holding.buffer.valid()) return;
  held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
}

void TortureClient::Read(const Command& command) {
  Client* const connection = ConnectionOf(Manner::kKeeping);
  if (connection == nullptr) return;
  AttachOptions options;
  if (Chance(30)) options.ttl = absl::ZeroDuration();
  if (Chance(70)) {
    options.wait = absl::Milliseconds(static_cast<int64_t>(Below(600)));
  }
  const Report asking{.kind = Report::Kind::kReading,
                      .request = ++last_request_,
                      .lease = command.stamper,
                      .ttl = options.ttl.value_or(absl::Seconds(3)),
                      .renewed = true,
                      .text = command.name};
  Tell(asking);
  Holding* const holding =
      Settle(asking, connection->Attach(command.name, options),
             Manner::kKeeping, command.stamper);
  if (holding == nullptr) return;
  if (!holding->buffer.sealed() || holding->buffer.writable()) {
    Tell({.text = absl::StrCat("lease ", holding->id.ToHex(),
                               " is for reading, and not sealed")});
  }
  Check(*holding);
}

void TortureClient::Claim(const Command& command) {
  const Manner manner = Chance(75) ? Manner::kKeeping : Manner::kHasty;
  Client* const connection = ConnectionOf(manner);
  const std::optional<RandomId> ticket = RandomId::FromHex(command.name);
  if (connection == nullptr || !ticket.has_value()) return;
  const Report asking{.kind = Report::Kind::kClaiming,
                      .request = ++last_request_,
                      .lease = command.stamper,
                      .ttl = absl::Seconds(3),
                      .renewed = manner == Manner::kKeeping};
  Tell(asking);
  absl::StatusOr<Buffer> buffer =
      connection->Claim(ticket->ToBytes(), {.ttl = asking.ttl});
  // Another process still has it mapped.
  if (absl::StrContains(buffer.status().message(), kStaysGood)) {
    offers_.push_back(command);
  }
  Holding* const holding =
      Settle(asking, std::move(buffer), manner, command.stamper, command.name);
  if (holding == nullptr) return;
  const auto wrong =
      FindWrongPage(holding->buffer.span(), command.stamper, command.number);
  if (wrong.has_value()) {
    Tell({.text = absl::StrCat("lease ", holding->id.ToHex(),
                               " was claimed with a page of ",
                               wrong->found.ToString(), " instead of ",
                               wrong->expected.ToString())});
  }
  StampAnew(*holding);
}

}  // namespace warmpool::torture
