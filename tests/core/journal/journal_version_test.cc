// Journals of other daemons: those of every version that there was are read,
// one of a later version is left alone. Those of earlier versions were written
// by their own code: they are what journal_corpus_test pinned at the time.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/journal/journal.h"
#include "core/journal/journal_format.h"
#include "core/journal/journal_parse.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Fixture(const std::string& name) {
  std::ifstream file("tests/fuzz/corpus/journal/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

// The longest lease of all of them.
LeaseRecord Longest() {
  LeaseRecord record = MakeLeaseRecord(3);
  record.holder_command = std::string(LeaseRecord::kMaxCommandBytes, 'c');
  record.buffer_name = std::string(LeaseRecord::kMaxBufferNameBytes, 'b');
  record.file_name = std::string(LeaseRecord::kMaxFileNameBytes, 'f');
  return record;
}

LeaseRecord Unshared(LeaseRecord record) {
  record.share_with = Sharing();
  return record;
}

// As a daemon knew it that had neither tickets nor seals.
LeaseRecord Plain(LeaseRecord record) {
  record = Unshared(std::move(record));
  record.kind = LeaseKind::kHeld;
  record.sealed = false;
  record.linger = absl::ZeroDuration();
  return record;
}

struct Version {
  std::string fixture;
  std::vector<LeaseRecord> leases;
};

std::vector<Version> Versions() {
  LeaseRecord renewed = Plain(MakeLeaseRecord(1));
  renewed.ttl = absl::Minutes(1);
  return {{"version_1", {renewed, Plain(Longest())}},
          {"version_2_unshared",
           {Unshared(MakeLeaseRecord(4)), Unshared(Longest())}},
          {"leases", {MakeLeaseRecord(4), Longest()}}};
}

// The version told by a header's copies.
std::string WithVersion(std::string bytes, uint32_t version) {
  for (const size_t offset : {size_t{8}, kJournalHeaderBytes / 2 + 8}) {
    bytes[offset] = static_cast<char>(version);
  }
  return bytes;
}

class JournalVersionTest : public JournalFixture {};

TEST_F(JournalVersionTest, EveryVersionThatThereWasIsRead) {
  for (const auto& [fixture, leases] : Versions()) {
    const ParsedJournal parsed = ParseJournal(Fixture(fixture), kBoot);
    EXPECT_EQ(parsed.damage, "") << fixture;
    EXPECT_EQ(parsed.epoch, 2u) << fixture;
    EXPECT_EQ(
        std::vector<LeaseRecord>(parsed.leases.begin(), parsed.leases.end()),
        leases)
        << fixture;
  }
}

TEST_F(JournalVersionTest, AnUpgradedDaemonGoesOnWithItInItsOwnVersion) {
  for (const auto& [fixture, leases] : Versions()) {
    directory_.SetContents("journal", Fixture(fixture));
    directory_.SetContents("journal.spare", "");
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(replay_.leases, leases);
    EXPECT_EQ(replay_.damage, "");
    EXPECT_EQ(OnFile(), leases);
    std::string damage;
    EXPECT_EQ(
        DecodeJournalHeader(directory_.Contents("journal"), &damage)->version,
        kJournalVersion);
    ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(7)), IsOk());
    ASSERT_THAT(journal_->AppendEnd(leases.front().id), IsOk());
    EXPECT_THAT(OnFile(), ElementsAre(leases.back(), MakeLeaseRecord(7)));
  }
}

TEST_F(JournalVersionTest, WhatALaterDaemonWroteIsLeftAlone) {
  for (const uint32_t version : {kJournalVersion + 1, 100u}) {
    const std::string later = WithVersion(Fixture("leases"), version);
    directory_.SetContents("journal", later);
    EXPECT_THAT(
        Open(),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr("\"journal\""),
                       HasSubstr(absl::StrCat("version ", version)),
                       HasSubstr("start a daemon of the version that wrote"),
                       HasSubstr("remove the file"))));
    EXPECT_EQ(directory_.Contents("journal"), later);
    EXPECT_FALSE(std::filesystem::exists(directory_.Join("journal.spare")));
    EXPECT_EQ(calls_.live().descriptors, 0u);
  }
}

TEST_F(JournalVersionTest, AFlippedBitIsNoLaterVersion) {
  std::string bytes = Fixture("leases");
  bytes[8] = 100;
  directory_.SetContents("journal", bytes);
  ASSERT_THAT(Open(), IsOk()) << "the header's copy is whole";
  EXPECT_EQ(replay_.leases.size(), 2u);
}

TEST_F(JournalVersionTest, UntilItBeginsADaemonChangesNothing) {
  for (const char* const fixture : {"version_1", "leases", "torn", "flipped"}) {
    directory_.SetContents("journal", Fixture(fixture));
    Journal::Replay replay;
    ASSERT_THAT(
        Journal::Open(directory_.fd(), kBoot, {kSmall}, &calls_, &replay),
        IsOk());
    EXPECT_EQ(directory_.Contents("journal"), Fixture(fixture));
    EXPECT_FALSE(std::filesystem::exists(directory_.Join("journal.spare")));
    EXPECT_FALSE(std::filesystem::exists(directory_.Join("journal.damaged")));
  }
}

TEST_F(JournalVersionTest, TheLastDamagedFileIsKept) {
  for (const char* const fixture : {"torn", "flipped"}) {
    journal_.reset();
    directory_.SetContents("journal", Fixture(fixture));
    ASSERT_THAT(Open(), IsOk());
    EXPECT_NE(replay_.damage, "");
    EXPECT_THAT(journal_->kept_aside(), IsOk());
    const std::string kept = directory_.Contents("journal.damaged");
    EXPECT_EQ(kept.substr(0, Fixture(fixture).size()), Fixture(fixture));
    uint64_t bytes = 0;
    for (const char* const name :
         {"journal", "journal.spare", "journal.damaged"}) {
      bytes += std::filesystem::file_size(directory_.Join(name));
    }
    EXPECT_EQ(journal_->bytes(), bytes);
    // Neither what is appended nor another start touches it.
    for (uint64_t number = 10; number < 60; ++number) {
      ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(number)), IsOk());
      journal_->CheckInvariants();
    }
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(replay_.damage, "");
    EXPECT_EQ(directory_.Contents("journal.damaged"), kept);
  }
}

TEST_F(JournalVersionTest, WithoutRoomToKeepItADaemonStartsAllTheSame) {
  directory_.SetContents("journal", Fixture("torn"));
  // Those of the two files come first.
  calls_.FailNth(SystemCalls::Call::kFallocate, 3, ENOSPC, UINT64_MAX);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->kept_aside(),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(OnFile(), ElementsAre(replay_.leases.front()));
}

}  // namespace
}  // namespace warmpool
