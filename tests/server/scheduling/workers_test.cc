// In which order works of several uids are done.
#include "server/scheduling/workers.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;
constexpr uid_t kCarol = 1002;

// What threads wait at, and what was done.
class Journal {
 public:
  void Note(std::string what) {
    MutexLock lock(&mutex_);
    done_.push_back(std::move(what));
    changed_.NotifyAll();
  }
  // Notes that it has come, and waits to be let on.
  void WaitAt(std::string what) {
    MutexLock lock(&mutex_);
    done_.push_back(std::move(what));
    changed_.NotifyAll();
    while (!open_) changed_.Wait(&mutex_);
  }
  void Open() {
    MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }
  void AwaitCount(size_t count) {
    MutexLock lock(&mutex_);
    while (done_.size() < count) changed_.Wait(&mutex_);
  }
  std::vector<std::string> done() {
    MutexLock lock(&mutex_);
    return done_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> done_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST(WorkersTest, UidsAreServedInTurn) {
  Journal journal;
  Workers workers({.threads = 1, .threads_per_uid = 1});
  ASSERT_TRUE(workers.Start().ok());
  workers.Run(kAlice, [&] { journal.WaitAt("first"); });
  journal.AwaitCount(1);
  for (int i = 1; i <= 3; ++i) {
    workers.Run(kAlice, [&, i] { journal.Note("alice " + std::to_string(i)); });
  }
  workers.Run(kBob, [&] { journal.Note("bob 1"); });
  workers.Run(kBob, [&] { journal.Note("bob 2"); });
  workers.Run(kCarol, [&] { journal.Note("carol"); });
  journal.Open();
  workers.Stop();
  // Alice's first has the thread: so her turn comes again once it is done.
  EXPECT_THAT(journal.done(), ElementsAre("first", "bob 1", "carol", "alice 1",
                                          "bob 2", "alice 2", "alice 3"));
}

TEST(WorkersTest, OneUidHasSomeOfTheThreadsOnly) {
  Journal journal;
  Workers workers({.threads = 3, .threads_per_uid = 2});
  ASSERT_TRUE(workers.Start().ok());
  for (int i = 0; i < 10; ++i) {
    workers.Run(kAlice, [&] { journal.WaitAt("alice"); });
  }
  journal.AwaitCount(2);
  workers.Run(kBob, [&] { journal.Note("bob"); });
  journal.AwaitCount(3);
  EXPECT_THAT(journal.done(), ElementsAre("alice", "alice", "bob"));
  journal.Open();
  workers.Stop();
  EXPECT_EQ(journal.done().size(), 11u);
}

TEST(WorkersTest, WhatWaitsOfOneUidIsBounded) {
  Journal journal;
  Workers workers(
      {.threads = 1, .threads_per_uid = 1, .max_waiting_per_uid = 2});
  ASSERT_TRUE(workers.Start().ok());
  workers.Run(kAlice, [&] { journal.WaitAt("first"); });
  journal.AwaitCount(1);
  const auto note = [&] { journal.Note("later"); };
  EXPECT_TRUE(workers.TryRun(kAlice, note).ok());
  EXPECT_TRUE(workers.TryRun(kAlice, note).ok());
  const absl::Status refused = workers.TryRun(kAlice, note);
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("uid 1000"));
  EXPECT_TRUE(workers.TryRun(kBob, note).ok());
  // What has to be done is.
  workers.Run(kAlice, note);
  journal.Open();
  workers.Stop();
  EXPECT_EQ(journal.done().size(), 5u);
}

TEST(WorkersTest, AfterTheEndWorkIsDoneByItsCaller) {
  Workers workers({.threads = 2, .threads_per_uid = 1});
  ASSERT_TRUE(workers.Start().ok());
  workers.Stop();
  workers.Stop();
  bool done = false;
  workers.Run(kAlice, [&] { done = true; });
  EXPECT_TRUE(done);
}

// Each work is done once, whoever asks for it and whenever.
TEST(WorkersTest, NothingIsLost) {
  constexpr int kEach = 2000;
  Journal journal;
  {
    Workers workers({.threads = 4, .threads_per_uid = 2});
    ASSERT_TRUE(workers.Start().ok());
    std::vector<std::thread> threads;
    for (uid_t uid = 0; uid < 4; ++uid) {
      threads.emplace_back([&, uid] {
        for (int i = 0; i < kEach; ++i) {
          workers.Run(uid % 3, [&journal] { journal.Note("x"); });
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(journal.done().size(), 4u * kEach);
}

}  // namespace
}  // namespace warmpool
