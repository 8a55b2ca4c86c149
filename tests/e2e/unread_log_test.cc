// A daemon whose log cannot be written serves, and stops, as any other.
#include <signal.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/shell_daemon.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

// Fills the pipe that standard output is, by an open file of its own: that of
// the daemon must not become non-blocking.
constexpr char kFillPipe[] =
    "dd if=/dev/zero of=/proc/self/fd/1 oflag=nonblock bs=4096 2>/dev/null; ";

TEST(UnreadLogTest, ADaemonWhosePipeIsFullServesAndStops) {
  ShellDaemon daemon(absl::StrCat(kFillPipe, ShellDaemon::kExec),
                     {"--log_level=debug"});
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  v1::LeaseRequest named = RawClient::LeaseOf(4096);
  named.set_name("taken");
  client.MustLease(named);
  for (int i = 0; i < 100; ++i) {
    named.set_request_id(KernelRandom::Get().Next().ToBytes());
    v1::LeaseResponse none;
    EXPECT_EQ(client.Lease(named, &none).error_code(),
              grpc::StatusCode::ALREADY_EXISTS);
    // No UTF-8: protobuf complains.
    v1::LeaseRequest broken = RawClient::LeaseOf(4096);
    broken.set_name("\xff");
    EXPECT_FALSE(client.Lease(broken, &none).ok());
  }
  daemon.process().Signal(SIGTERM);
  ASSERT_TRUE(daemon.Ends());
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(UnreadLogTest, ADaemonWhosePipeIsFullAndThatCantStartEnds) {
  ShellDaemon daemon(absl::StrCat(kFillPipe, ShellDaemon::kExec),
                     {"--metrics_listen=192.0.2.1:1"});
  ASSERT_TRUE(daemon.Ends());
  EXPECT_EQ(daemon.process().Wait(), 1);
}

TEST(UnreadLogTest, ADaemonWhosePipeIsFullCanAbort) {
  ShellDaemon daemon(absl::StrCat(kFillPipe, ShellDaemon::kExec));
  ASSERT_TRUE(daemon.Listens());
  daemon.process().Signal(SIGABRT);
  ASSERT_TRUE(daemon.Ends());
  EXPECT_EQ(daemon.process().Wait(), 128 + SIGABRT);
}

TEST(UnreadLogTest, WhatWaitedIsWrittenOnceSomebodyReads) {
  ShellDaemon daemon(absl::StrCat(kFillPipe, ShellDaemon::kExec));
  ASSERT_TRUE(daemon.Listens());
  RawClient(daemon.target()).Stats();
  EXPECT_THAT(daemon.LineWith("serving listen="), HasSubstr("serving listen="));
  daemon.process().Signal(SIGTERM);
  EXPECT_THAT(daemon.process().ReadAll(), HasSubstr("stopped leases_left=0"));
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(UnreadLogTest, LinesThatCantBeWrittenAreCounted) {
  for (const char* const end :
       {"exec \"$@\" 2>/dev/full", "exec \"$@\" 2>&-"}) {
    ShellDaemon daemon(end);
    ASSERT_TRUE(daemon.Listens());
    RawClient client(daemon.target());
    EXPECT_TRUE(Eventually([&] {
      return client.Stats().log_lines_dropped() > 0;
    })) << end;
    daemon.process().Signal(SIGTERM);
    EXPECT_EQ(daemon.process().Wait(), 0);
  }
}

TEST(UnreadLogTest, TheReaderMayEndBeforeTheDaemon) {
  ShellDaemon daemon(
      "exec /bin/bash -c 'exec \"$@\" 2> >(exec true)' bash \"$@\"");
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  EXPECT_TRUE(
      Eventually([&] { return client.Stats().log_lines_dropped() > 0; }));
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

}  // namespace
}  // namespace warmpool::testing
