#include "core/journal/journal_parse.h"

#include <string>
#include <vector>

#include "core/journal/journal_format.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A journal, record by record, and what it says after each of them.
class WrittenJournal {
 public:
  static constexpr uint64_t kBytes = 2048;

  struct Boundary {
    size_t end = 0;
    std::vector<LeaseRecord> leases;
  };

  WrittenJournal() {
    bytes_ = EncodeJournalHeader({kBoot, 4, 17, 3, kBytes}, &seed_);
    boundaries_.push_back({bytes_.size(), {}});
  }

  // `leases`: those that are live after the record.
  void Add(const std::string& record, std::vector<LeaseRecord> leases) {
    bytes_ += record;
    boundaries_.push_back({bytes_.size(), std::move(leases)});
  }

  JournalSeed seed() const { return seed_; }
  const std::vector<Boundary>& boundaries() const { return boundaries_; }
  std::string Padded() const { return PaddedTo(bytes_.size()); }
  // As the file would be had only its first `count` bytes been written.
  std::string PaddedTo(size_t count) const {
    std::string bytes = bytes_.substr(0, count);
    bytes.resize(kBytes);
    return bytes;
  }

 private:
  JournalSeed seed_;
  std::string bytes_;
  std::vector<Boundary> boundaries_;
};

LeaseRecord WithTtl(LeaseRecord record, absl::Duration ttl) {
  record.ttl = ttl;
  return record;
}

// Three grants, a renewal, an end and a grant of a lease that then ends.
WrittenJournal Write() {
  WrittenJournal journal;
  const LeaseRecord one = MakeLeaseRecord(1);
  const LeaseRecord two = MakeLeaseRecord(2);
  const LeaseRecord renewed = WithTtl(one, absl::Hours(3));
  const LeaseRecord three = MakeLeaseRecord(3);
  journal.Add(EncodeGrant(journal.seed(), one), {one});
  journal.Add(EncodeGrant(journal.seed(), two), {one, two});
  journal.Add(EncodeRenewal(journal.seed(), one.id, renewed.ttl),
              {renewed, two});
  journal.Add(EncodeEnd(journal.seed(), two.id), {renewed});
  journal.Add(EncodeGrant(journal.seed(), three), {renewed, three});
  journal.Add(EncodeEnd(journal.seed(), one.id), {three});
  const LeaseRecord four = MakeLeaseRecord(4);
  journal.Add(EncodeReplacement(journal.seed(), three.id, four), {four});
  return journal;
}

std::vector<LeaseRecord> LeasesOf(const ParsedJournal& parsed) {
  return {parsed.leases.begin(), parsed.leases.end()};
}

TEST(ParseJournalTest, SaysWhatWasWritten) {
  const ParsedJournal parsed = ParseJournal(Write().Padded(), kBoot);
  EXPECT_THAT(LeasesOf(parsed), ElementsAre(MakeLeaseRecord(4)));
  EXPECT_EQ(parsed.epoch, 4u);
  EXPECT_EQ(parsed.last_generation, 17u);
  EXPECT_EQ(parsed.snapshot, 3u);
  EXPECT_EQ(parsed.damage, "");
}

TEST(ParseJournalTest, TheLastGenerationIsThatOfEndedLeasesToo) {
  WrittenJournal journal;
  LeaseRecord record = MakeLeaseRecord(5);
  record.generation = 1000;
  journal.Add(EncodeGrant(journal.seed(), record), {record});
  journal.Add(EncodeEnd(journal.seed(), record.id), {});
  EXPECT_EQ(ParseJournal(journal.Padded(), kBoot).last_generation, 1000u);
}

TEST(ParseJournalTest, NothingAndZerosAreAFirstStart) {
  for (const size_t bytes : {0, 1, 100, 256, 4096}) {
    const ParsedJournal parsed = ParseJournal(std::string(bytes, '\0'), kBoot);
    EXPECT_THAT(LeasesOf(parsed), IsEmpty());
    EXPECT_EQ(parsed.epoch, 0u);
    EXPECT_EQ(parsed.damage, "");
  }
}

TEST(ParseJournalTest, NothingReplacesALeaseThatIsNotLive) {
  WrittenJournal journal;
  const LeaseRecord one = MakeLeaseRecord(1);
  journal.Add(EncodeGrant(journal.seed(), one), {one});
  journal.Add(EncodeReplacement(journal.seed(), MakeLeaseRecord(2).id,
                                MakeLeaseRecord(3)),
              {one});
  const ParsedJournal parsed = ParseJournal(journal.Padded(), kBoot);
  EXPECT_THAT(LeasesOf(parsed), ElementsAre(one));
  EXPECT_THAT(parsed.damage, HasSubstr("can't become"));
}

TEST(ParseJournalTest, AnotherBootsCountsForNothing) {
  const ParsedJournal parsed = ParseJournal(Write().Padded(), kAnotherBoot);
  EXPECT_THAT(LeasesOf(parsed), IsEmpty());
  EXPECT_EQ(parsed.epoch, 0u);
  EXPECT_EQ(parsed.last_generation, 0u);
  EXPECT_EQ(parsed.damage, "");
}

TEST(ParseJournalTest, AnotherFormatVersionIsToldAndCountsForNothing) {
  std::string bytes = Write().Padded();
  for (const size_t copy : {0, 128}) bytes[copy + 8] = kJournalVersion + 1;
  const ParsedJournal later = ParseJournal(bytes, kBoot);
  EXPECT_THAT(LeasesOf(later), IsEmpty());
  EXPECT_EQ(later.later_version, kJournalVersion + 1);
  EXPECT_EQ(later.damage, "") << "it may be whole";
  for (const size_t copy : {0, 128}) bytes[copy + 8] = 0;
  const ParsedJournal none = ParseJournal(bytes, kBoot);
  EXPECT_THAT(LeasesOf(none), IsEmpty());
  EXPECT_EQ(none.later_version, 0u);
  EXPECT_THAT(none.damage, HasSubstr("is of format version 0, this daemon "
                                     "reads 1 to 2: "));
}

// What must be told of an image of `journal` that has `bytes` for its own: the
// records up to the first that is not what it was.
void ExpectReadUpToDamage(const WrittenJournal& journal,
                          const std::string& bytes) {
  const std::string original = journal.Padded();
  std::vector<LeaseRecord> leases;
  bool clean = bytes.find_first_not_of('\0') == std::string::npos;
  for (const WrittenJournal::Boundary& boundary : journal.boundaries()) {
    if (bytes == journal.PaddedTo(boundary.end)) clean = true;
    // The header has a copy.
    if (bytes.compare(kJournalHeaderBytes, boundary.end - kJournalHeaderBytes,
                      original, kJournalHeaderBytes,
                      boundary.end - kJournalHeaderBytes) == 0) {
      leases = boundary.leases;
    }
  }
  const bool header =
      bytes.compare(0, kJournalHeaderBytes / 2, original, 0,
                    kJournalHeaderBytes / 2) == 0 ||
      bytes.compare(kJournalHeaderBytes / 2, kJournalHeaderBytes / 2, original,
                    kJournalHeaderBytes / 2, kJournalHeaderBytes / 2) == 0;
  if (!header) leases.clear();

  const ParsedJournal parsed = ParseJournal(bytes, kBoot);
  EXPECT_EQ(LeasesOf(parsed), leases);
  EXPECT_EQ(parsed.epoch, header ? 4u : 0u);
  EXPECT_EQ(parsed.damage.empty(), clean) << parsed.damage;
  EXPECT_EQ(parsed.damage.find('\n'), std::string::npos);
}

TEST(ParseJournalTest, TornAtAnyByteItIsReadUpToThere) {
  const WrittenJournal journal = Write();
  for (size_t cut = 0; cut <= WrittenJournal::kBytes; ++cut) {
    SCOPED_TRACE(cut);
    ExpectReadUpToDamage(journal, journal.PaddedTo(cut));
  }
}

TEST(ParseJournalTest, CutAtAnyByteItIsReadUpToThere) {
  const WrittenJournal journal = Write();
  const std::string whole = journal.Padded();
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    const ParsedJournal parsed = ParseJournal(whole.substr(0, cut), kBoot);
    std::vector<LeaseRecord> leases;
    for (const WrittenJournal::Boundary& boundary : journal.boundaries()) {
      if (boundary.end <= cut) leases = boundary.leases;
    }
    EXPECT_EQ(LeasesOf(parsed), leases);
    EXPECT_NE(parsed.damage, "");
  }
}

TEST(ParseJournalTest, WithAnyByteFlippedItIsReadUpToThere) {
  const WrittenJournal journal = Write();
  const std::string whole = journal.Padded();
  for (size_t offset = 0; offset < whole.size(); ++offset) {
    for (const int flip : {0x01, 0x80, 0xff, 0x5a}) {
      SCOPED_TRACE(testing::Message() << offset << " ^ " << flip);
      std::string bytes = whole;
      bytes[offset] = static_cast<char>(bytes[offset] ^ flip);
      ExpectReadUpToDamage(journal, bytes);
    }
    // The worst that a byte can become: what an empty file has.
    std::string bytes = whole;
    bytes[offset] = '\0';
    if (bytes != whole) ExpectReadUpToDamage(journal, bytes);
  }
}

TEST(ParseJournalTest, DamageSaysWhatWhereAndHowMuch) {
  const WrittenJournal journal = Write();
  std::string bytes = journal.Padded();
  const size_t second = journal.boundaries()[1].end;
  bytes[second + 20] ^= 1;
  EXPECT_THAT(
      ParseJournal(bytes, kBoot).damage,
      AllOf(HasSubstr("at byte " + std::to_string(second) + " the checksum"),
            HasSubstr(std::to_string(journal.boundaries().back().end - second) +
                      " bytes cut")));
  bytes = journal.Padded();
  bytes[3] ^= 1;
  EXPECT_EQ(ParseJournal(bytes, kBoot).damage,
            "the header at byte 0 is not one of a journal, its copy is whole: "
            "0 bytes cut");
}

TEST(ParseJournalTest, AGrantOfALiveLeaseIsDamage) {
  WrittenJournal journal;
  const LeaseRecord one = MakeLeaseRecord(1);
  journal.Add(EncodeGrant(journal.seed(), one), {one});
  journal.Add(EncodeGrant(journal.seed(), WithTtl(one, absl::Hours(1))), {});
  journal.Add(EncodeEnd(journal.seed(), one.id), {});
  const ParsedJournal parsed = ParseJournal(journal.Padded(), kBoot);
  EXPECT_THAT(LeasesOf(parsed), ElementsAre(one));
  EXPECT_THAT(parsed.damage, HasSubstr("is granted twice"));
}

TEST(ParseJournalTest, WhatIsSaidOfALeaseThatIsNotLiveIsPassedOver) {
  WrittenJournal journal;
  const LeaseRecord one = MakeLeaseRecord(1);
  journal.Add(EncodeEnd(journal.seed(), one.id), {});
  journal.Add(EncodeRenewal(journal.seed(), one.id, absl::Hours(1)), {});
  journal.Add(EncodeGrant(journal.seed(), one), {one});
  const ParsedJournal parsed = ParseJournal(journal.Padded(), kBoot);
  EXPECT_THAT(LeasesOf(parsed), ElementsAre(one));
  EXPECT_EQ(parsed.damage, "");
}

TEST(ParseJournalTest, ARecordThatSaysNothingPossibleIsDamage) {
  LeaseRecord bad = MakeLeaseRecord(1);
  bad.file_name = "../../etc/shadow";
  WrittenJournal journal;
  journal.Add(EncodeGrant(journal.seed(), bad), {});
  const ParsedJournal parsed = ParseJournal(journal.Padded(), kBoot);
  EXPECT_THAT(LeasesOf(parsed), IsEmpty());
  EXPECT_THAT(parsed.damage, HasSubstr("a record of type 1 can't be read"));
}

TEST(ParseJournalTest, WhatAnEarlierUseOfTheFileLeftIsNoRecord) {
  const WrittenJournal earlier = Write();
  JournalSeed seed;
  std::string bytes = earlier.Padded();
  bytes.replace(
      0, kJournalHeaderBytes,
      EncodeJournalHeader({kBoot, 4, 17, 4, WrittenJournal::kBytes}, &seed));
  const ParsedJournal parsed = ParseJournal(bytes, kBoot);
  EXPECT_THAT(LeasesOf(parsed), IsEmpty());
  EXPECT_THAT(parsed.damage, HasSubstr("checksum"));
}

}  // namespace
}  // namespace warmpool
