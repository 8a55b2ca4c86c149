#include "server/log/log_level.h"

#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

class LogLevelTest : public ::testing::Test {
 protected:
  ~LogLevelTest() override { spdlog::set_level(before_); }

  const spdlog::level::level_enum before_ = spdlog::get_level();
};

TEST_F(LogLevelTest, NamesAreThoseOfTheFlag) {
  EXPECT_TRUE(SetLogLevel("error").ok());
  EXPECT_EQ(spdlog::get_level(), spdlog::level::err);
  EXPECT_TRUE(absl::IsInvalidArgument(SetLogLevel("loud")));
  EXPECT_TRUE(absl::IsInvalidArgument(SetLogLevel("")));
  EXPECT_EQ(spdlog::get_level(), spdlog::level::err);
}

TEST_F(LogLevelTest, AnExchangeTellsWhatItWas) {
  ASSERT_TRUE(SetLogLevel("info").ok());
  EXPECT_EQ(*ExchangeLogLevel(v1::LOG_LEVEL_DEBUG), v1::LOG_LEVEL_INFO);
  EXPECT_EQ(*ExchangeLogLevel(v1::LOG_LEVEL_UNSPECIFIED), v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(*ExchangeLogLevel(v1::LOG_LEVEL_OFF), v1::LOG_LEVEL_DEBUG);
  EXPECT_EQ(spdlog::get_level(), spdlog::level::off);
}

TEST_F(LogLevelTest, AnUnknownLevelChangesNothing) {
  ASSERT_TRUE(SetLogLevel("info").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(
      ExchangeLogLevel(static_cast<v1::LogLevel>(77)).status()));
  EXPECT_EQ(spdlog::get_level(), spdlog::level::info);
}

}  // namespace
}  // namespace warmpool
