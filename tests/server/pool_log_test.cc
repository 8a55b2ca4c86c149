#include "server/pool_log.h"

#include <memory>
#include <sstream>
#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "spdlog/sinks/ostream_sink.h"
#include "spdlog/spdlog.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

class PoolLogTest : public ::testing::Test {
 protected:
  PoolLogTest() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_st>(lines_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(logger);
  }
  ~PoolLogTest() override { spdlog::set_default_logger(before_); }

  // What was logged since the last call.
  std::string Take() {
    std::string lines = lines_.str();
    lines_.str("");
    return lines;
  }

  const std::shared_ptr<spdlog::logger> before_;
  std::ostringstream lines_;
  FakeClock clock_;
  PoolLog log_{&clock_};
};

TEST_F(PoolLogTest, NamesTheLeaseAndTheCauseOfItsEnd) {
  RevokedLease revoked;
  revoked.holder = 7;
  revoked.buffer_name = "frames";
  revoked.cause = EndCause::kExpired;
  log_.OnRevoked(revoked);
  EXPECT_EQ(Take(),
            "info lease ended by the daemon lease=" + revoked.id.ToHex() +
                " holder=7 buffer=frames cause=expired\n");
  revoked.cause = EndCause::kRevoked;
  log_.OnRevoked(revoked);
  EXPECT_THAT(Take(), HasSubstr("cause=revoked\n"));
}

TEST_F(PoolLogTest, TellsWhyALeaseWasRefused) {
  Refusal refusal;
  refusal.status = absl::ResourceExhaustedError("no room");
  refusal.bytes = 4096;
  log_.OnRefused(refusal);
  EXPECT_THAT(Take(), AllOf(HasSubstr("code=RESOURCE_EXHAUSTED bytes=4096"),
                            HasSubstr("reason=\"no room\"")));
}

TEST_F(PoolLogTest, AFloodOfOneKindIsCountedAndHidesNoOther) {
  for (int i = 0; i < LogLimit::kLinesPerSecond + 3; ++i) {
    log_.OnForgotten(7, 2);
  }
  Take();
  log_.OnForgotten(7, 2);
  EXPECT_EQ(Take(), "");
  log_.OnSmallPages(4096, absl::UnavailableError("fragmented"));
  EXPECT_THAT(Take(), HasSubstr("a segment has 4 KiB pages bytes=4096"));
  clock_.Advance(absl::Seconds(1));
  log_.OnForgotten(7, 2);
  EXPECT_EQ(Take(),
            "info leases that their holder forgot holder=7 leases=2 (4 more "
            "suppressed)\n");
}

}  // namespace
}  // namespace warmpool
