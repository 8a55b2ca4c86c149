#include "core/lease/lease_record.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ValidateLeaseRecordTest, WhatAPoolGrantsIsValid) {
  LeaseRecord record = MakeLeaseRecord(1);
  EXPECT_THAT(ValidateLeaseRecord(record), IsOk());
  record.ttl = absl::ZeroDuration();
  record.holder_command = std::string(LeaseRecord::kMaxCommandBytes, 'c');
  record.file_name = std::string(LeaseRecord::kMaxFileNameBytes, 'f');
  record.buffer_name = std::string(LeaseRecord::kMaxBufferNameBytes, 'b');
  EXPECT_THAT(ValidateLeaseRecord(record), IsOk());
}

void ExpectRefused(const LeaseRecord& record, const std::string& why) {
  EXPECT_THAT(ValidateLeaseRecord(record),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
}

TEST(ValidateLeaseRecordTest, StringsAreBounded) {
  LeaseRecord record = MakeLeaseRecord(1);
  record.holder_command = std::string(65, 'c');
  ExpectRefused(record, "command has 65 bytes, at most 64");
  record = MakeLeaseRecord(1);
  record.file_name = std::string(65, 'f');
  ExpectRefused(record, "file name has 65 bytes, at most 64");
  record = MakeLeaseRecord(1);
  record.buffer_name = std::string(129, 'b');
  ExpectRefused(record, "buffer's name has 129 bytes, at most 128");
}

TEST(ValidateLeaseRecordTest, AFileNameLeadsNowhereElse) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."),
        std::string("../shadow"), std::string("a/b"), std::string("a\0b", 3)}) {
    LeaseRecord record = MakeLeaseRecord(1);
    record.file_name = name;
    ExpectRefused(record, "is no name of a file");
  }
}

TEST(ValidateLeaseRecordTest, ValuesAreThoseOfTheirTypes) {
  LeaseRecord record = MakeLeaseRecord(1);
  record.access = static_cast<Access>(2);
  ExpectRefused(record, "no access 2");
  record = MakeLeaseRecord(1);
  record.warmth = static_cast<Warmth>(3);
  ExpectRefused(record, "no warmth 3");
  record = MakeLeaseRecord(1);
  record.ttl = -absl::Seconds(3);
  ExpectRefused(record, "-3s");
}

TEST(LeaseRecordsTest, AreInOrderOfGrant) {
  LeaseRecords records;
  for (const uint64_t number : {3, 1, 2}) {
    EXPECT_TRUE(records.Insert(MakeLeaseRecord(number)));
  }
  EXPECT_FALSE(records.Insert(MakeLeaseRecord(1)));
  EXPECT_TRUE(records.Erase(MakeLeaseRecord(1).id));
  EXPECT_FALSE(records.Erase(MakeLeaseRecord(1).id));
  EXPECT_EQ(records.Find(MakeLeaseRecord(1).id), nullptr);
  EXPECT_TRUE(records.Insert(MakeLeaseRecord(1)));

  LeaseRecords moved = std::move(records);
  EXPECT_EQ(moved.size(), 3u);
  EXPECT_THAT(
      std::vector<LeaseRecord>(moved.begin(), moved.end()),
      ElementsAre(MakeLeaseRecord(3), MakeLeaseRecord(2), MakeLeaseRecord(1)));
  moved.Find(MakeLeaseRecord(2).id)->ttl = absl::Hours(1);
  EXPECT_TRUE(moved.Erase(MakeLeaseRecord(3).id));
  EXPECT_EQ(moved.begin()->ttl, absl::Hours(1));
}

TEST(LeaseRecordsTest, AWalkPassesWhatIsLiveWhenItGetsThere) {
  LeaseRecords records;
  for (const uint64_t number : {1, 2, 3, 4}) {
    records.Insert(MakeLeaseRecord(number));
  }
  records.StartWalk();
  EXPECT_EQ(*records.Walk(), MakeLeaseRecord(1));
  EXPECT_TRUE(records.Passed(MakeLeaseRecord(1).id));
  EXPECT_FALSE(records.Passed(MakeLeaseRecord(2).id));
  // One that it passed, the next one, and one behind it.
  for (const uint64_t number : {1, 2, 4}) {
    records.Erase(MakeLeaseRecord(number).id);
  }
  EXPECT_EQ(*records.Walk(), MakeLeaseRecord(3));
  EXPECT_EQ(records.Walk(), nullptr);
  EXPECT_TRUE(records.walked());
  records.Insert(MakeLeaseRecord(5));
  EXPECT_FALSE(records.walked());
  EXPECT_EQ(*records.Walk(), MakeLeaseRecord(5));
  records.StartWalk();
  EXPECT_FALSE(records.Passed(MakeLeaseRecord(5).id));
  EXPECT_EQ(*records.Walk(), MakeLeaseRecord(3));
}

}  // namespace
}  // namespace warmpool
