// The examples do what the README says.
#include <signal.h>

#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::EndsWith;

TEST(ExamplesTest, AProducerHandsFramesToAConsumer) {
  DaemonProcess daemon;
  const std::string socket = daemon.target() + ".frames";
  ChildProcess consumer({"client/examples/consumer", daemon.target(), socket});
  ASSERT_EQ(consumer.ReadLine(), "listening at " + socket);
  ChildProcess producer(
      {"client/examples/producer", daemon.target(), socket, "3"});
  for (const int sum : {0, 16777216, 33554432}) {
    EXPECT_THAT(
        producer.ReadLine(),
        EndsWith(": 16777216 bytes, their sum is " + std::to_string(sum)));
  }
  EXPECT_EQ(producer.Wait(), 0);
  consumer.Signal(SIGTERM);
}

TEST(ExamplesTest, WithoutAPoolTheySaySo) {
  ChildProcess consumer({"client/examples/consumer", "tcp:1", "unix:/nowhere"});
  EXPECT_EQ(consumer.Wait(), 1);
  ChildProcess producer({"client/examples/producer", "tcp:1", "tcp:2", "1"});
  EXPECT_EQ(producer.Wait(), 1);
}

}  // namespace
}  // namespace warmpool::testing
