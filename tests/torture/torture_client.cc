#include "tests/torture/torture_client.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "tests/torture/fork_keeper.h"
#include "tests/torture/mapped_file.h"
#include "tests/torture/stamp.h"

namespace warmpool::torture {
namespace {

constexpr size_t kMostHeld = 8;
constexpr size_t kMostOffers = 64;
constexpr uint64_t kSmallest = 64 << 10;
constexpr uint64_t kLargest = 4 << 20;
constexpr absl::Duration kPatience = absl::Seconds(10);

absl::Time Now() { return MonotonicClock::Get().Now(); }

// What the daemon says of a ticket that expires while it is claimed.
constexpr absl::string_view kEndedMeanwhile = "ended while this request";

// The lease was granted, but had ended, or its segment was gone, before it was
// mapped. What is said of `ticket`, which was to be claimed, is a refusal.
bool CouldNotMap(const absl::Status& status, const std::string& ticket) {
  if (absl::StrContains(status.message(), kEndedMeanwhile) ||
      (!ticket.empty() && absl::StrContains(status.message(), ticket))) {
    return false;
  }
  return (absl::IsFailedPrecondition(status) || absl::IsNotFound(status)) &&
         (absl::StartsWith(status.message(), "segment ") ||
          absl::StartsWith(status.message(), "lease "));
}

}  // namespace

TortureClient::TortureClient(std::string target, int number, uint64_t seed,
                             bool hand_over, int input, int output)
    : target_(std::move(target)),
      number_(number),
      hand_over_(hand_over),
      output_(output),
      random_(seed + static_cast<uint64_t>(number)),
      input_(input) {}

int TortureClient::Run() {
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    const std::optional<Command> command = input_.Wait(DrawPause());
    if (command.has_value()) {
      if (!Obey(*command)) break;
      continue;
    }
    DoSomething();
  }
  ReleaseAll();
  return 0;
}

absl::Duration TortureClient::DrawPause() {
  return absl::Milliseconds(static_cast<int64_t>(Below(12)));
}

bool TortureClient::Obey(const Command& command) {
  switch (command.kind) {
    case Command::Kind::kResume: return true;
    case Command::Kind::kAttach:
    case Command::Kind::kRead:
    case Command::Kind::kClaim:
      // One that was stopped for long has the latest, which are good yet.
      if (offers_.size() == kMostOffers) offers_.pop_front();
      offers_.push_back(command);
      return true;
    case Command::Kind::kQuit: return false;
    case Command::Kind::kPause: break;
  }
  Tell({.kind = Report::Kind::kPaused, .request = command.number});
  for (;;) {
    const auto next = input_.Wait(absl::Seconds(60));
    if (!next.has_value()) continue;
    if (next->kind == Command::Kind::kResume) return true;
    if (!Obey(*next)) return false;
  }
}

void TortureClient::Tell(Report report) {
  report.time = Now();
  const std::string line = report.ToLine() + "\n";
  // The driver is gone if nobody reads, and so is the reason to be here.
  if (write(output_, line.data(), line.size()) !=
      static_cast<ssize_t>(line.size())) {
    _exit(1);
  }
}

Client* TortureClient::ConnectionOf(Manner manner) {
  std::optional<Client>& connection = connections_[static_cast<size_t>(manner)];
  if (connection.has_value()) return &*connection;
  ClientOptions options{.deadline = kPatience,
                        .renew_leases = manner == Manner::kKeeping,
                        // What this reports as released the daemon has back.
                        .lease_cache_bytes = 0};
  if (manner == Manner::kHasty) {
    options.deadline = absl::Milliseconds(1 + static_cast<int64_t>(Below(4)));
  }
  absl::StatusOr<Client> client = Client::Connect(target_, options);
  if (client.ok()) {
    connection = *std::move(client);
    return &*connection;
  }
  if (manner != Manner::kHasty) {
    Tell({.text = absl::StrCat("can't connect: ", client.status().ToString())});
  }
  return nullptr;
}

void TortureClient::DoSomething() {
  while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
  if (!offers_.empty() && held_.size() < kMostHeld) {
    const Command command = offers_.front();
    offers_.pop_front();
    if (command.kind == Command::Kind::kRead) return Read(command);
    if (command.kind == Command::Kind::kClaim) return Claim(command);
    return AttachTo(command);
  }
  if (hand_over_ && Chance(40) && HandOver()) return;
  const auto due = std::find_if(
      held_.begin(), held_.end(),
      [now = Now()](const Holding& held) { return held.release_at <= now; });
  if (due != held_.end() && (held_.size() == kMostHeld || Chance(60))) {
    return Release(static_cast<size_t>(due - held_.begin()));
  }
  if (!held_.empty() && Chance(12)) return Check(DrawHolding());
  if (!held_.empty() && Chance(8)) return Renew(DrawHolding());
  if (!held_.empty() && Chance(3)) return Fork(DrawHolding());
  if (held_.size() < kMostHeld) Lease();
}

void TortureClient::Lease() {
  const Manner manner = Chance(80)   ? Manner::kKeeping
                        : Chance(50) ? Manner::kLapsing
                                     : Manner::kHasty;
  Client* const connection = ConnectionOf(manner);
  if (connection == nullptr) return;
  LeaseOptions options;
  const Report asking = DrawLease(manner, &options);
  Tell(asking);
  Holding* const holding = Settle(
      asking, connection->Lease(asking.bytes, options), manner, RandomId());
  if (holding != nullptr) Stamp(*holding);
}

Report TortureClient::DrawLease(Manner manner, LeaseOptions* options) {
  if (manner == Manner::kKeeping) {
    // Absent, as long as this process lives, or finite.
    const uint64_t draw = Below(4);
    if (draw == 1) options->ttl = absl::ZeroDuration();
    if (draw >= 2) options->ttl = absl::Seconds(static_cast<int64_t>(draw));
  } else {
    options->ttl = absl::Milliseconds(500 + static_cast<int64_t>(Below(1000)));
  }
  if (Chance(30)) {
    options->name = absl::StrCat("client-", number_, "/", last_request_ + 1);
  }
  options->zeroed = Chance(15);
  // As many of 64 to 128 KiB as of 2 to 4 MiB.
  const uint64_t base = kSmallest
                        << Below(std::bit_width(kLargest / kSmallest) - 1);
  return {.kind = Report::Kind::kAsking,
          .request = ++last_request_,
          .bytes = base + Below(base + 1),
          .ttl = options->ttl.value_or(absl::Seconds(3)),
          .renewed = manner == Manner::kKeeping,
          .text = options->name.value_or("")};
}

void TortureClient::AttachTo(const Command& command) {
  Client* const connection = ConnectionOf(Manner::kKeeping);
  if (connection == nullptr) return;
  AttachOptions options{.writable = true};
  if (Chance(30)) options.ttl = absl::ZeroDuration();
  const Report asking{.kind = Report::Kind::kAsking,
                      .request = ++last_request_,
                      .lease = command.stamper,
                      .ttl = options.ttl.value_or(absl::Seconds(3)),
                      .renewed = true,
                      .text = command.name};
  Tell(asking);
  Settle(asking, connection->Attach(command.name, options), Manner::kKeeping,
         command.stamper);
}

TortureClient::Holding* TortureClient::Settle(const Report& asking,
                                              absl::StatusOr<Buffer> buffer,
                                              Manner manner,
                                              const RandomId& stamper,
                                              const std::string& ticket) {
  if (!buffer.ok()) {
    TellOfFailure(
        asking.request, buffer.status(),
        NoAnswer(buffer.status()) || CouldNotMap(buffer.status(), ticket));
    return nullptr;
  }
  Holding& holding = held_.emplace_back();
  holding.buffer = *std::move(buffer);
  holding.id = *RandomId::FromBytes(holding.buffer.lease_id());
  holding.stamper = stamper == RandomId() ? holding.id : stamper;
  holding.manner = manner;
  // Mostly soon, some so late that what nobody renews has expired.
  holding.release_at = Now() + absl::Milliseconds(static_cast<int64_t>(
                                   Chance(92) ? Below(200) : Below(5000)));
  const MappedFile file = FindMappedFile(holding.buffer.data());
  Tell({.kind = Report::Kind::kGranted,
        .request = asking.request,
        .lease = holding.id,
        .generation = holding.buffer.generation(),
        .bytes = holding.buffer.size(),
        .inode = file.inode,
        .ttl = holding.buffer.ttl(),
        .text = file.path});
  return &holding;
}

void TortureClient::Stamp(Holding& holding) {
  Buffer& buffer = holding.buffer;
  const bool zero = buffer.zeroed();
  if (zero && !IsZero(buffer.span())) {
    Tell({.text = absl::StrCat("lease ", holding.id.ToHex(),
                               " is not zeroed, "
                               "though the daemon says so")});
  }
  for (const RandomId& old : StampedLeases(buffer.span())) {
    Tell({.kind = Report::Kind::kFound, .lease = old});
  }
  StampAnew(holding);
}

void TortureClient::StampAnew(Holding& holding) {
  Buffer& buffer = holding.buffer;
  StampPages(buffer.span(), holding.id, buffer.generation());
  holding.stamper = holding.id;
  // A ticket's claimer is to be alone with it: those are not shown to others.
  if (hand_over_) DrawDestiny(holding);
  const bool shown = holding.destiny == Destiny::kNone ||
                     (holding.destiny == Destiny::kSealed && Chance(15));
  Tell({.kind = Report::Kind::kStamped,
        .lease = holding.id,
        .text = shown ? buffer.name() : ""});
  if (holding.destiny == Destiny::kSealed && Chance(70)) {
    Tell({.kind = Report::Kind::kPromised,
          .lease = holding.id,
          .text = buffer.name()});
  }
}

void TortureClient::Check(const Holding& holding) {
  const std::span<const std::byte> bytes = holding.buffer.span();
  const auto wrong =
      FindWrongPage(bytes, holding.stamper, holding.buffer.generation());
  if (wrong.has_value()) {
    Tell({.lease = holding.id,
          .text = absl::StrCat("lease ", holding.id.ToHex(), " has a page of ",
                               wrong->found.ToString(), " instead of ",
                               wrong->expected.ToString())});
    return;
  }
  Tell({.kind = Report::Kind::kChecked,
        .lease = holding.id,
        .bytes = bytes.size()});
}

void TortureClient::Renew(Holding& holding) {
  // What is to expire is not renewed.
  if (holding.manner != Manner::kKeeping) return;
  const absl::Status renewed = holding.buffer.Renew();
  if (renewed.ok()) {
    Tell({.kind = Report::Kind::kRenewed, .lease = holding.id});
  } else if (!NoAnswer(renewed)) {
    TellOfLoss(holding.id, renewed);
  }
}

void TortureClient::TellOfLoss(const RandomId& id, const absl::Status& status) {
  Tell({.kind = Report::Kind::kLost,
        .lease = id,
        .code = status.code(),
        .text = std::string(status.message())});
}

void TortureClient::Fork(const Holding& holding) {
  Tell({.kind = Report::Kind::kForking, .lease = holding.stamper});
  KeepInFork({.bytes = holding.buffer.span(),
              .lease = holding.stamper,
              .generation = holding.buffer.generation(),
              .keep_for = absl::Milliseconds(static_cast<int64_t>(Below(800))),
              .lifeline = STDIN_FILENO,
              .output = output_});
}

void TortureClient::Release(size_t index) {
  Holding holding = std::move(held_[index]);
  held_.erase(held_.begin() + static_cast<ptrdiff_t>(index));
  Check(holding);
  Tell({.kind = Report::Kind::kReleasing, .lease = holding.id});
  if (Chance(10)) return Drop(std::move(holding));
  const absl::Status released = holding.buffer.Release();
  if (released.ok()) {
    Tell({.kind = Report::Kind::kReleased, .lease = holding.id});
  } else if (NoAnswer(released)) {
    Tell({.kind = Report::Kind::kUnreleased,
          .lease = holding.id,
          .code = released.code(),
          .text = std::string(released.message())});
  } else {
    TellOfLoss(holding.id, released);
  }
}

// The destructor releases too, and does not say what became of it.
void TortureClient::Drop(Holding holding) {
  holding.buffer = Buffer();
  Tell({.kind = Report::Kind::kUnreleased, .lease = holding.id});
}

void TortureClient::ReleaseAll() {
  while (!held_.empty()) Release(held_.size() - 1);
}

}  // namespace warmpool::torture
