#include "client/load/handoff/producer_run.h"

#include <cstddef>
#include <span>

#include "absl/strings/str_cat.h"
#include "client/load/handoff/pattern.h"

namespace warmpool {
namespace {

absl::Status Told(const absl::Status& status, Via via, uint64_t round) {
  return absl::Status(
      status.code(),
      absl::StrCat(ViaName(via), ", round ", round, ": ", status.message()));
}

}  // namespace

PairMeasurement ProducerRun::Run() {
  const absl::Time start = clock_.Now();
  result_.status = Turns();
  result_.elapsed = clock_.Now() - start;
  for (auto& [via, measured] : result_.vias) {
    if (measured.rounds() == 0) continue;
    measured.bytes_per_second = static_cast<double>(options_.bytes) /
                                absl::ToDoubleSeconds(measured.trip.Mean());
  }
  return std::move(result_);
}

absl::Status ProducerRun::Turns() {
  const absl::Time start = clock_.Now();
  const auto slices = kTurns * static_cast<int64_t>(producers_.size());
  int64_t slice = 0;
  for (int turn = 1; turn <= kTurns; ++turn) {
    for (const Via via : options_.vias.list) {
      const absl::Time ends_at = start + options_.duration / slices * ++slice;
      const absl::Status status = Turn(via, *producers_.at(via), turn, ends_at);
      if (!status.ok()) return Told(status, via, round_);
      if (stopped_) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status ProducerRun::Turn(Via via, ProducerVia& producer, int turn,
                               absl::Time ends_at) {
  ViaMeasurement& measured = result_.vias[via];
  // Of all turns up to this one.
  const uint64_t all = options_.rounds.value_or(UINT64_MAX);
  const uint64_t rounds = all / kTurns * turn + all % kTurns * turn / kTurns;
  absl::Status status = producer.BeginTurn(round_);
  bool warmed_up = false;
  while (status.ok() && measured.rounds() < rounds) {
    stopped_ = hooks_.stopped(round_);
    // However little time it has, each way has a round that counts.
    const bool over = clock_.Now() >= ends_at && measured.rounds() > 0;
    if (stopped_ || over) break;
    status = Round(producer, warmed_up ? &measured : nullptr);
    warmed_up = true;
    if (status.ok()) ++round_;
  }
  if (!status.ok()) return status;
  return producer.EndTurn(round_);
}

absl::Status ProducerRun::Messages(ViaMeasurement* measured) {
  const absl::Time start = clock_.Now();
  absl::Status status = hooks_.message();
  const absl::Time answered = clock_.Now();
  if (status.ok() && hooks_.renew) status = hooks_.renew();
  if (!status.ok() || measured == nullptr) return status;
  measured->message.Record(answered - start);
  if (hooks_.renew) measured->renew.Record(clock_.Now() - answered);
  return absl::OkStatus();
}

absl::Status ProducerRun::Round(ProducerVia& producer,
                                ViaMeasurement* measured) {
  absl::Status status = Messages(measured);
  if (!status.ok()) return status;

  const absl::Time start = clock_.Now();
  const absl::StatusOr<std::span<std::byte>> bytes = producer.Get(round_);
  const absl::Time got = clock_.Now();
  if (!bytes.ok()) return bytes.status();
  Pattern{.seed = options_.seed, .round = round_}.Write(*bytes);
  if (options_.spoiled_round == round_) bytes->front() ^= std::byte{1};
  const absl::Time filled = clock_.Now();
  const absl::StatusOr<HandedOver> handed = producer.HandOver(round_);
  const absl::Time read = clock_.Now();
  if (!handed.ok()) return handed.status();
  const load::HandoffReceipt& receipt = handed->receipt;
  status = producer.GiveBack();
  const absl::Time end = clock_.Now();
  if (!status.ok() || measured == nullptr) return status;

  measured->get.Record(got - start);
  measured->fill.Record(filled - got);
  measured->hand_over.Record(absl::FromUnixNanos(receipt.arrived_ns()) -
                             filled - handed->message);
  measured->read.Record(absl::Nanoseconds(receipt.read_ns()));
  measured->give_back.Record(absl::Nanoseconds(receipt.give_back_ns()) +
                             (end - read));
  measured->trip.Record(end - start);
  return absl::OkStatus();
}

}  // namespace warmpool
