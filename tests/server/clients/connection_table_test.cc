#include "server/clients/connection_table.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

// A pipe's end stands for a connection: it has an inode of its own.
UniqueFd Open() {
  int fds[2];
  if (pipe(fds) < 0) std::abort();
  close(fds[1]);
  return UniqueFd(fds[0]);
}
UniqueFd DuplicateOf(const UniqueFd& fd) { return UniqueFd(dup(fd.get())); }

TEST(ConnectionTableTest, FindsWhoseAConnectionIsByItsNumber) {
  ConnectionTable table(10);
  const UniqueFd fd = Open();
  table.Add(fd.get(), 7, kAlice, DuplicateOf(fd));
  EXPECT_THAT(table.Find(fd.get()), Optional(7));
  EXPECT_EQ(table.Find(fd.get() + 1000), std::nullopt);
  table.CheckInvariants();
}

TEST(ConnectionTableTest, AConnectionThatIsOverIsKnownUntilItsNumberIsFree) {
  ConnectionTable table(10);
  UniqueFd fd = Open();
  const int number = fd.get();
  const auto serial = table.Add(number, 7, kAlice, DuplicateOf(fd));
  ASSERT_TRUE(table.End(serial).has_value());
  EXPECT_FALSE(table.End(serial).has_value());
  table.ForgetClosed();
  EXPECT_THAT(table.Find(number), Optional(7));
  fd.Reset();
  table.ForgetClosed();
  EXPECT_EQ(table.Find(number), std::nullopt);
  EXPECT_EQ(table.size(), 0u);
  table.CheckInvariants();
}

TEST(ConnectionTableTest, ANumberThatComesBackIsTheLaterConnections) {
  ConnectionTable table(10);
  UniqueFd fd = Open();
  const int number = fd.get();
  const auto former = table.Add(number, 7, kAlice, DuplicateOf(fd));
  fd.Reset();
  UniqueFd later = Open();
  ASSERT_EQ(later.get(), number);
  EXPECT_THAT(table.OpenAt(number), Optional(former));
  ASSERT_TRUE(table.End(former).has_value());
  EXPECT_EQ(table.OpenAt(number), std::nullopt);
  const auto serial = table.Add(number, 8, kBob, DuplicateOf(later));
  EXPECT_THAT(table.Find(number), Optional(8));
  // What is heard of the former late does not end the later one.
  EXPECT_FALSE(table.End(former).has_value());
  EXPECT_EQ(table.CountOf(kAlice), 0u);
  EXPECT_EQ(table.CountOf(kBob), 1u);
  table.ForgetClosed();
  EXPECT_THAT(table.Find(number), Optional(8));
  EXPECT_TRUE(table.End(serial).has_value());
  table.CheckInvariants();
}

TEST(ConnectionTableTest, CountsTheConnectionsOfAUidThatAreNotOver) {
  ConnectionTable table(2);
  const UniqueFd a = Open(), b = Open(), c = Open();
  EXPECT_THAT(table.CheckRoom(kAlice), IsOk());
  const auto serial = table.Add(a.get(), 1, kAlice, DuplicateOf(a));
  table.Add(b.get(), 2, kAlice, DuplicateOf(b));
  EXPECT_THAT(table.CheckRoom(kAlice),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("uid 1000"), HasSubstr("of the 2"))));
  EXPECT_THAT(table.CheckRoom(kBob), IsOk());
  table.End(serial);
  EXPECT_THAT(table.CheckRoom(kAlice), IsOk());
  table.CheckInvariants();
}

TEST(ConnectionTableTest, StaysAsSmallAsWhatIsOpen) {
  ConnectionTable table(1000);
  for (int i = 0; i < 1000; ++i) {
    UniqueFd fd = Open();
    const auto serial = table.Add(fd.get(), i + 1, kAlice, DuplicateOf(fd));
    table.End(serial);
    fd.Reset();
    table.ForgetClosed();
  }
  EXPECT_LE(table.size(), 1u);
  table.CheckInvariants();
}

// Opens, ends and closes at random, against a map of what is so.
TEST(ConnectionTableTest, WhatIsShutDownEndsOnceWhatWasSentIsRead) {
  ConnectionTable table(10);
  int open[2], over[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, open), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, over), 0);
  const UniqueFd ends[] = {UniqueFd(open[0]), UniqueFd(open[1]),
                           UniqueFd(over[0]), UniqueFd(over[1])};
  table.Add(open[0], 1, kAlice, DuplicateOf(ends[0]));
  table.End(table.Add(over[0], 2, kAlice, DuplicateOf(ends[2])));
  ASSERT_EQ(send(open[0], "x", 1, 0), 1);
  table.ShutDownAll();
  char byte;
  EXPECT_EQ(recv(open[1], &byte, 1, 0), 1);
  EXPECT_EQ(recv(open[1], &byte, 1, 0), 0);
  EXPECT_EQ(send(open[1], "y", 1, MSG_NOSIGNAL), -1);
  EXPECT_EQ(recv(over[1], &byte, 1, MSG_DONTWAIT), -1);
  table.CheckInvariants();
}

TEST(ConnectionTableTest, AddsUpAtEveryStep) {
  struct Known {
    UniqueFd fd;
    HolderId holder;
    ConnectionTable::Serial serial;
  };
  ConnectionTable table(1000);
  std::map<int, Known> open;
  std::mt19937 random(1);
  HolderId holder = 0;
  for (int step = 0; step < 3000; ++step) {
    if (random() % 2 == 0 && open.size() < 50) {
      UniqueFd fd = Open();
      const int number = fd.get();
      const auto serial =
          table.Add(number, ++holder, kAlice + random() % 3, DuplicateOf(fd));
      open[number] = Known{std::move(fd), holder, serial};
    } else if (!open.empty()) {
      const auto it = std::next(open.begin(), random() % open.size());
      if (random() % 2 == 0) {
        table.End(it->second.serial);
      } else {
        // gRPC closes what its client has ended.
        table.End(it->second.serial);
        open.erase(it);
      }
    }
    table.ForgetClosed();
    table.CheckInvariants();
    for (const auto& [number, known] : open) {
      ASSERT_THAT(table.Find(number), Optional(known.holder));
    }
  }
}

}  // namespace
}  // namespace warmpool
