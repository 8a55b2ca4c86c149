#include "tests/torture/hostile/bystander.h"

#include <poll.h>
#include <unistd.h>

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "tests/torture/stamp.h"

namespace warmpool::torture {
namespace {

using Kind = BystanderReport::Kind;

constexpr uint64_t kHeldSizes[] = {4 << 10, 64 << 10, 256 << 10, 1 << 20};
// Short: the library has to get through to renew them all the time.
constexpr absl::Duration kHeldTtl = absl::Seconds(3);
constexpr absl::Duration kLookEvery = absl::Seconds(1);
// Leaves the processors to the daemon, and to who is hostile, most of the time:
// clients that keep them busy would measure each other.
constexpr int kLongestPauseMs = 6;
constexpr int kLongestUseMs = 3;

absl::Time Now() { return MonotonicClock::Get().Now(); }

// A breach, as a sentence.
absl::Status Broken(absl::string_view what, const absl::Status& why) {
  return absl::AbortedError(absl::StrCat(what, ": ", why.ToString()));
}

RandomId IdOf(const Buffer& buffer) {
  return RandomId::FromBytes(buffer.lease_id()).value_or(RandomId());
}

void WriteStamps(Buffer& buffer) {
  StampPages(buffer.span(), IdOf(buffer), buffer.generation());
}

absl::Status CheckStamps(const Buffer& buffer) {
  const std::optional<WrongPage> wrong =
      FindWrongPage(buffer.span(), IdOf(buffer), buffer.generation());
  if (!wrong.has_value()) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(
      "a page of a bystander's was changed: it had ",
      wrong->expected.ToString(), ", and has ", wrong->found.ToString()));
}

}  // namespace

Bystander::Bystander(std::string target, uint64_t seed, int input, int output)
    : target_(std::move(target)),
      input_(input),
      output_(output),
      random_(seed) {}

int Bystander::Run() {
  const absl::Status status = Work();
  Report(status.ok() ? BystanderReport{.kind = Kind::kDone}
                     : BystanderReport{.kind = Kind::kBreach,
                                       .text = std::string(status.message())});
  return status.ok() ? 0 : 1;
}

absl::Status Bystander::Work() {
  absl::StatusOr<Client> client =
      Client::Connect(target_, {.lease_cache_bytes = 0, .prefetch = false});
  if (!client.ok()) return Broken("a bystander can't connect", client.status());
  client_ = *std::move(client);
  absl::Status status = Hold();
  if (!status.ok()) return status;
  Report({.kind = Kind::kReady});
  while (!Told(absl::Milliseconds(random_() % kLongestPauseMs + 1))) {
    status = LeaseOnce();
    if (status.ok() && Now() >= next_look_) {
      next_look_ = Now() + kLookEvery;
      status = CheckHeld();
    }
    if (!status.ok()) return status;
  }
  return Finish();
}

absl::Status Bystander::Hold() {
  for (const uint64_t size : kHeldSizes) {
    absl::StatusOr<Buffer> buffer = client_->Lease(size, {.ttl = kHeldTtl});
    if (!buffer.ok()) {
      return Broken("a lease to hold was refused", buffer.status());
    }
    WriteStamps(*buffer);
    held_.push_back(*std::move(buffer));
  }
  return absl::OkStatus();
}

absl::Status Bystander::LeaseOnce() {
  BystanderReport report = {.size = random_() % std::size(kBystanderSizes)};
  const uint64_t size = kBystanderSizes[report.size];
  report.begin = Now();
  absl::StatusOr<Buffer> buffer = client_->Lease(size);
  report.end = Now();
  if (!buffer.ok()) {
    return Broken(absl::StrCat("a lease of ", size, " bytes was refused after ",
                               absl::FormatDuration(report.end - report.begin)),
                  buffer.status());
  }
  report.kind =
      buffer->warmth() == BufferWarmth::kWarm ? Kind::kWarm : Kind::kCold;
  Report(report);
  WriteStamps(*buffer);
  // Time in which another might write to it.
  (void)Told(absl::Milliseconds(random_() % kLongestUseMs + 1));
  absl::Status status = CheckStamps(*buffer);
  if (!status.ok()) return status;
  status = buffer->Release();
  if (!status.ok())
    return Broken("a lease was lost before its release", status);
  return absl::OkStatus();
}

absl::Status Bystander::CheckHeld() const {
  for (const Buffer& buffer : held_) {
    const absl::Status status = CheckStamps(buffer);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Bystander::Finish() {
  absl::Status status = CheckHeld();
  if (!status.ok()) return status;
  for (Buffer& buffer : held_) {
    status = buffer.Renew();
    if (!status.ok()) return Broken("a lease that was held is lost", status);
    status = buffer.Release();
    if (!status.ok()) return Broken("a held lease can't be released", status);
  }
  return absl::OkStatus();
}

bool Bystander::Told(absl::Duration wait) const {
  pollfd input{.fd = input_, .events = POLLIN, .revents = 0};
  return poll(&input, 1, static_cast<int>(absl::ToInt64Milliseconds(wait))) > 0;
}

void Bystander::Report(const BystanderReport& report) const {
  const std::string line = report.ToLine() + "\n";
  // If nobody reads any more, this process is about to be killed.
  (void)!write(output_, line.data(), line.size());
}

}  // namespace warmpool::torture
