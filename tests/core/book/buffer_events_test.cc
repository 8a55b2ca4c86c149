#include "core/book/buffer_events.h"

#include <atomic>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using Kind = BufferEvents::Kind;
using WatchPtr = std::unique_ptr<BufferEvents::Watch>;

constexpr uid_t kUid = 1000;

std::string KindText(Kind kind) {
  switch (kind) {
    case Kind::kCreated: return "created";
    case Kind::kSealed: return "sealed";
    case Kind::kEnded: return "ended";
    case Kind::kResync: return "resync";
  }
  return "?";
}

class BufferEventsTest : public ::testing::Test {
 protected:
  ~BufferEventsTest() override { events_.CheckInvariants(); }

  WatchPtr Start(const std::string& prefix = "", uid_t uid = kUid,
                 bool all_uids = false) {
    return events_
        .StartWatch({.uid = uid,
                     .all_uids = all_uids,
                     .name_prefix = prefix,
                     .wake = [this] { ++wakes_; }})
        .value();
  }

  void Publish(Kind kind, const std::string& name, uid_t uid = kUid) {
    events_.Publish(kind, name, uid, /*generation=*/7, /*bytes=*/4096);
    events_.CheckInvariants();
    events_.Wake();
    events_.CheckInvariants();
  }

  // Until there is nothing: "created a", "resync".
  std::vector<std::string> TakeAll(BufferEvents::Watch& watch) {
    std::vector<std::string> taken;
    while (const auto event = watch.Next()) {
      taken.push_back(event->name.empty()
                          ? KindText(event->kind)
                          : KindText(event->kind) + " " + event->name);
      events_.CheckInvariants();
    }
    return taken;
  }

  BufferEvents events_;
  int wakes_ = 0;
};

TEST_F(BufferEventsTest, AWatchBeginsWithAResyncAndMissesNothingFromThere) {
  Publish(Kind::kCreated, "before");
  const WatchPtr watch = Start();
  Publish(Kind::kCreated, "a");
  Publish(Kind::kSealed, "a");
  Publish(Kind::kCreated, "b");
  Publish(Kind::kEnded, "a");
  EXPECT_THAT(TakeAll(*watch), ElementsAre("resync", "created a", "sealed a",
                                           "created b", "ended a"));
}

TEST_F(BufferEventsTest, AnEventTellsAllOfItsBuffer) {
  const WatchPtr watch = Start();
  EXPECT_EQ(watch->Next()->kind, Kind::kResync);
  Publish(Kind::kSealed, "frames/1");
  const auto event = watch->Next();
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->kind, Kind::kSealed);
  EXPECT_EQ(event->name, "frames/1");
  EXPECT_EQ(event->uid, kUid);
  EXPECT_EQ(event->generation, 7u);
  EXPECT_EQ(event->bytes, 4096u);
}

TEST_F(BufferEventsTest, OnlyNamesWithThePrefixAreTold) {
  const WatchPtr watch = Start("camera/");
  Publish(Kind::kCreated, "camera/1");
  Publish(Kind::kCreated, "camera");
  Publish(Kind::kCreated, "other/camera/1");
  EXPECT_THAT(TakeAll(*watch), ElementsAre("resync", "created camera/1"));
}

TEST_F(BufferEventsTest, OtherUidsBuffersAreToldToThoseWhoWatchAll) {
  const WatchPtr own = Start();
  const WatchPtr all = Start("", /*uid=*/0, /*all_uids=*/true);
  Publish(Kind::kCreated, "mine");
  Publish(Kind::kCreated, "theirs", kUid + 1);
  EXPECT_THAT(TakeAll(*own), ElementsAre("resync", "created mine"));
  EXPECT_THAT(TakeAll(*all),
              ElementsAre("resync", "created mine", "created theirs"));
}

TEST_F(BufferEventsTest, WhatASlowReaderLostGivesWayToOneResync) {
  const WatchPtr slow = Start();
  const WatchPtr quick = Start();
  TakeAll(*quick);
  const size_t more = 10;
  for (size_t i = 0; i < BufferEvents::kMaxQueued + more; ++i) {
    Publish(Kind::kCreated, absl::StrCat("n", i));
    EXPECT_THAT(TakeAll(*quick), SizeIs(1)) << i;
  }
  // Its first resync took a place, and so did the event that found none.
  const std::vector<std::string> rest = TakeAll(*slow);
  ASSERT_THAT(rest, SizeIs(more + 1));
  EXPECT_EQ(rest.front(), "resync");
  EXPECT_EQ(rest[1], absl::StrCat("created n", BufferEvents::kMaxQueued));
  EXPECT_EQ(rest.back(),
            absl::StrCat("created n", BufferEvents::kMaxQueued + more - 1));
}

TEST_F(BufferEventsTest, AFullQueueLosesNothingUntilOneMoreComes) {
  const WatchPtr watch = Start();
  TakeAll(*watch);
  for (size_t i = 0; i < BufferEvents::kMaxQueued; ++i) {
    Publish(Kind::kCreated, absl::StrCat("n", i));
  }
  const std::vector<std::string> all = TakeAll(*watch);
  ASSERT_THAT(all, SizeIs(BufferEvents::kMaxQueued));
  EXPECT_EQ(all.front(), "created n0");
}

TEST_F(BufferEventsTest, AReaderIsWokenOnceForAllThatItFindsThen) {
  const WatchPtr watch = Start();
  Publish(Kind::kCreated, "a");
  EXPECT_EQ(wakes_, 0) << "it has not asked for anything";
  TakeAll(*watch);
  Publish(Kind::kCreated, "b");
  Publish(Kind::kCreated, "c");
  EXPECT_EQ(wakes_, 1);
  watch->Next();
  Publish(Kind::kCreated, "d");
  EXPECT_EQ(wakes_, 1) << "it has not run out";
  TakeAll(*watch);
  Publish(Kind::kCreated, "e");
  EXPECT_EQ(wakes_, 2);
}

TEST_F(BufferEventsTest, AnEventThatIsNotWantedWakesNobody) {
  const WatchPtr watch = Start("camera/");
  TakeAll(*watch);
  Publish(Kind::kCreated, "other");
  EXPECT_EQ(wakes_, 0);
}

TEST_F(BufferEventsTest, AReaderThatLooksByItselfIsWokenAllTheSame) {
  const WatchPtr watch = Start();
  TakeAll(*watch);
  events_.Publish(Kind::kCreated, "a", kUid, 1, 1);
  EXPECT_THAT(TakeAll(*watch), ElementsAre("created a"));
  events_.CheckInvariants();
  events_.Publish(Kind::kCreated, "b", kUid, 1, 1);
  events_.Wake();
  EXPECT_EQ(wakes_, 1);
  EXPECT_THAT(TakeAll(*watch), ElementsAre("created b"));
}

TEST_F(BufferEventsTest, AWatchThatEndedIsNotWoken) {
  WatchPtr watch = Start();
  TakeAll(*watch);
  events_.Publish(Kind::kCreated, "a", kUid, 1, 1);
  watch.reset();
  events_.Wake();
  EXPECT_EQ(wakes_, 0);
}

TEST_F(BufferEventsTest, WakingMayPublishAndTakeWithoutDeadlock) {
  WatchPtr watch;
  std::vector<std::string> seen;
  const auto wake = [&] {
    for (const std::string& one : TakeAll(*watch)) seen.push_back(one);
    if (seen.size() > 3) return;
    events_.Publish(Kind::kEnded, "a", kUid, 1, 1);
  };
  watch = events_.StartWatch({.uid = kUid, .wake = wake}).value();
  TakeAll(*watch);
  Publish(Kind::kCreated, "a");
  EXPECT_THAT(seen, ElementsAre("created a", "ended a", "ended a", "ended a"));
}

TEST_F(BufferEventsTest, AUidThatWatchesTooOftenIsRefusedAndOthersAreNot) {
  std::vector<WatchPtr> watches;
  for (size_t i = 0; i < BufferEvents::kMaxWatchesPerUid; ++i) {
    watches.push_back(Start());
  }
  EXPECT_THAT(events_.StartWatch({.uid = kUid}),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("uid 1000 watches buffers 256 times")));
  EXPECT_THAT(TakeAll(*Start("", kUid + 1)), ElementsAre("resync"));
  watches.pop_back();
  EXPECT_THAT(TakeAll(*Start()), ElementsAre("resync"));
}

// A reader on a thread of its own, which sleeps until it is woken.
class Reader {
 public:
  explicit Reader(BufferEvents* events)
      : watch_(events
                   ->StartWatch({.uid = kUid,
                                 .name_prefix = "last",
                                 .wake = [this] { woken_.release(); }})
                   .value()),
        all_(events
                 ->StartWatch(
                     {.uid = kUid, .wake = [this] { woken_.release(); }})
                 .value()),
        thread_([this] { Main(); }) {}
  ~Reader() { thread_.join(); }

 private:
  // Each name's generations grow, and each has created, sealed, ended in turn:
  // all of them, but where there was a resync.
  void Main() {
    std::vector<uint64_t> last(4, 0);
    bool resynced = false;
    for (;;) {
      while (const auto event = all_->Next()) {
        if (event->kind == Kind::kResync) {
          resynced = true;
          last.assign(4, 0);
          continue;
        }
        if (event->name == "last") continue;
        const size_t name = event->name[0] - 'a';
        const uint64_t step =
            event->generation * 3 + static_cast<uint64_t>(event->kind);
        if (last[name] != 0) {
          EXPECT_EQ(step, last[name] + 1);
        }
        last[name] = step;
      }
      EXPECT_TRUE(resynced);
      bool is_last = false;
      while (const auto event = watch_->Next()) {
        is_last |= event->kind != Kind::kResync;
      }
      if (is_last) return;
      woken_.acquire();
    }
  }

  std::counting_semaphore<> woken_{0};
  WatchPtr watch_;
  WatchPtr all_;
  std::thread thread_;
};

TEST(BufferEventsThreadsTest, EachBuffersEventsComeInOrderToAllReaders) {
  constexpr uint64_t kGenerations = 5000;
  BufferEvents events;
  {
    std::vector<std::unique_ptr<Reader>> readers;
    for (int i = 0; i < 3; ++i) {
      readers.push_back(std::make_unique<Reader>(&events));
    }
    std::vector<std::thread> publishers;
    for (const char* const name : {"a", "b", "c", "d"}) {
      publishers.emplace_back([&events, name] {
        for (uint64_t generation = 1; generation <= kGenerations;
             ++generation) {
          for (const Kind kind :
               {Kind::kCreated, Kind::kSealed, Kind::kEnded}) {
            events.Publish(kind, name, kUid, generation, 1);
            events.Wake();
          }
        }
      });
    }
    // Those that come and go meanwhile.
    for (int i = 0; i < 500; ++i) {
      std::atomic<int> wakes = 0;
      WatchPtr watch =
          events.StartWatch({.uid = kUid, .wake = [&wakes] { ++wakes; }})
              .value();
      while (watch->Next() != nullptr) {
      }
      events.CheckInvariants();
      watch.reset();
      EXPECT_LE(wakes.load(), 1);
    }
    for (std::thread& publisher : publishers) publisher.join();
    events.Publish(Kind::kCreated, "last", kUid, 1, 1);
    events.Wake();
  }
  events.CheckInvariants();
}

}  // namespace
}  // namespace warmpool
