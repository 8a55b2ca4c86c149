#include "client/load/handoff/producer_run.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/load/handoff/pattern.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kMessageTime = absl::Microseconds(40);
constexpr absl::Duration kRenewTime = absl::Microseconds(50);
constexpr absl::Duration kGetTime = absl::Microseconds(100);
constexpr absl::Duration kArrivalTime = absl::Microseconds(200);
constexpr absl::Duration kReadTime = absl::Microseconds(10);
constexpr absl::Duration kConsumerGiveBackTime = absl::Microseconds(3);
constexpr absl::Duration kAnswerTime = absl::Microseconds(30);
constexpr absl::Duration kProducerGiveBackTime = absl::Microseconds(4);

absl::Duration TripTime() {
  return kGetTime + kMessageTime + kArrivalTime + kReadTime +
         kConsumerGiveBackTime + kAnswerTime + kProducerGiveBackTime;
}

// A way whose every step takes as long as the constants say. Its consumer
// checks, as the real one does.
class FakeVia final : public ProducerVia {
 public:
  FakeVia(FakeClock* clock, const HandoffOptions* options,
          std::vector<std::string>* log, std::string name)
      : clock_(*clock),
        options_(*options),
        log_(*log),
        name_(std::move(name)) {}

  absl::Status BeginTurn(uint64_t first_round) override {
    log_.push_back(absl::StrCat(name_, " from ", first_round));
    next_ = first_round;
    return absl::OkStatus();
  }
  absl::Status EndTurn(uint64_t round) override {
    EXPECT_EQ(round, next_);
    return absl::OkStatus();
  }
  absl::StatusOr<std::span<std::byte>> Get(uint64_t round) override {
    EXPECT_EQ(round, next_++);
    clock_.Advance(kGetTime);
    return std::span(bytes_);
  }
  absl::StatusOr<HandedOver> HandOver(uint64_t round) override {
    clock_.Advance(kMessageTime + kArrivalTime);
    HandedOver handed;
    handed.message = kMessageTime;
    load::HandoffReceipt& receipt = handed.receipt;
    receipt.set_arrived_ns(absl::ToUnixNanos(clock_.Now()));
    receipt.set_read_ns(absl::ToInt64Nanoseconds(kReadTime));
    receipt.set_give_back_ns(absl::ToInt64Nanoseconds(kConsumerGiveBackTime));
    clock_.Advance(kReadTime + kConsumerGiveBackTime + kAnswerTime);
    const Pattern pattern = {.seed = options_.seed, .round = round};
    const absl::Status status = pattern.Check({bytes_}, options_.bytes);
    if (!status.ok()) return status;
    return handed;
  }
  absl::Status GiveBack() override {
    clock_.Advance(kProducerGiveBackTime);
    return absl::OkStatus();
  }

 private:
  FakeClock& clock_;
  const HandoffOptions& options_;
  std::vector<std::string>& log_;
  const std::string name_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(options_.bytes);
  uint64_t next_ = 0;
};

class ProducerRunTest : public ::testing::Test {
 protected:
  ProducerRunTest() {
    options_.bytes = 2 * kPatternPage;
    options_.vias.list = {Via::kWarmpool, Via::kGrpcUnary};
    hooks_.message = [this] {
      clock_.Advance(kMessageTime);
      return absl::OkStatus();
    };
    hooks_.renew = [this] {
      clock_.Advance(kRenewTime);
      return absl::OkStatus();
    };
    hooks_.stopped = [](uint64_t) { return false; };
  }

  PairMeasurement Run() {
    std::map<Via, std::unique_ptr<ProducerVia>> vias;
    for (const Via via : options_.vias.list) {
      vias[via] =
          std::make_unique<FakeVia>(&clock_, &options_, &log_, ViaName(via));
    }
    return ProducerRun(&options_, &clock_, &vias, hooks_).Run();
  }

  FakeClock clock_;
  HandoffOptions options_;
  ProducerRun::Hooks hooks_;
  std::vector<std::string> log_;
};

TEST_F(ProducerRunTest, EveryStepIsTimedByItself) {
  options_.rounds = 8;
  PairMeasurement measured = Run();
  ASSERT_TRUE(measured.status.ok()) << measured.status;
  ASSERT_EQ(measured.vias.size(), 2u);
  for (const auto& [via, one] : measured.vias) {
    EXPECT_EQ(one.rounds(), 8u);
    EXPECT_EQ(one.message.max(), kMessageTime);
    EXPECT_EQ(one.renew.max(), kRenewTime);
    EXPECT_EQ(one.get.max(), kGetTime);
    EXPECT_EQ(one.fill.max(), absl::ZeroDuration());
    EXPECT_EQ(one.hand_over.max(), kArrivalTime);
    EXPECT_EQ(one.read.max(), kReadTime);
    EXPECT_EQ(one.give_back.max(),
              kConsumerGiveBackTime + kProducerGiveBackTime);
    EXPECT_EQ(one.trip.max(), TripTime());
    EXPECT_NEAR(one.bytes_per_second, 8192 / absl::ToDoubleSeconds(TripTime()),
                1);
  }
}

TEST_F(ProducerRunTest, WaysTakeTurnsAndTheFirstRoundOfATurnIsNotMeasured) {
  options_.rounds = 8;
  const PairMeasurement measured = Run();
  // Two rounds of each turn count.
  EXPECT_THAT(log_, ElementsAre("warmpool from 0", "grpc_unary from 3",
                                "warmpool from 6", "grpc_unary from 9",
                                "warmpool from 12", "grpc_unary from 15",
                                "warmpool from 18", "grpc_unary from 21"));
  EXPECT_EQ(measured.elapsed, 24 * (kMessageTime + kRenewTime + TripTime()));
}

TEST_F(ProducerRunTest, ADurationIsSharedAmongTheWays) {
  options_.duration = absl::Milliseconds(100);
  const PairMeasurement measured = Run();
  EXPECT_GE(measured.elapsed, options_.duration);
  EXPECT_LE(measured.elapsed, options_.duration + absl::Milliseconds(5));
  const uint64_t rounds = measured.vias.at(Via::kWarmpool).rounds();
  EXPECT_GT(rounds, 50u);
  EXPECT_NEAR(rounds, measured.vias.at(Via::kGrpcUnary).rounds(), 8);
}

TEST_F(ProducerRunTest, EachWayIsMeasuredHoweverShortTheRunIs) {
  options_.duration = absl::Nanoseconds(1);
  const PairMeasurement measured = Run();
  EXPECT_EQ(measured.vias.at(Via::kWarmpool).rounds(), 1u);
  EXPECT_EQ(measured.vias.at(Via::kGrpcUnary).rounds(), 1u);
}

TEST_F(ProducerRunTest, ASpoiledByteEndsTheRunWithItsWayAndRound) {
  options_.rounds = 8;
  options_.spoiled_round = 4;
  const PairMeasurement measured = Run();
  EXPECT_EQ(measured.status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(measured.status.message()),
              HasSubstr("grpc_unary, round 4: 1 of 2 pages of round 4 are not "
                        "as written, first page 0"));
  EXPECT_EQ(measured.vias.at(Via::kWarmpool).rounds(), 2u);
  EXPECT_EQ(measured.vias.at(Via::kGrpcUnary).rounds(), 0u);
}

TEST_F(ProducerRunTest, AFailedMessageEndsTheRun) {
  options_.rounds = 8;
  hooks_.message = [] { return absl::UnavailableError("gone"); };
  EXPECT_THAT(std::string(Run().status.message()),
              HasSubstr("warmpool, round 0: gone"));
}

TEST_F(ProducerRunTest, ItStopsBetweenRounds) {
  hooks_.stopped = [](uint64_t rounds) { return rounds == 10; };
  const PairMeasurement measured = Run();
  EXPECT_TRUE(measured.status.ok());
  EXPECT_EQ(measured.vias.at(Via::kWarmpool).rounds(), 9u);
}

}  // namespace
}  // namespace warmpool
