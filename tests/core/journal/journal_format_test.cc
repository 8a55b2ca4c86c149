#include "core/journal/journal_format.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

constexpr JournalSeed kSeed = {12345};

JournalHeader Header() { return {kBoot, 7, 99, 12, 4096}; }

// The payload of a record that must be whole.
absl::string_view PayloadOf(absl::string_view record, RecordType type) {
  std::string damage;
  const std::optional<DecodedFrame> frame = DecodeFrame(kSeed, record, &damage);
  EXPECT_TRUE(frame.has_value()) << damage;
  if (!frame.has_value()) return "";
  EXPECT_EQ(frame->type, type);
  return frame->payload;
}

TEST(JournalFormatTest, AHeaderComesBack) {
  for (const std::string& boot_id :
       {std::string(kBoot), std::string(), std::string(64, 'b')}) {
    JournalHeader header = Header();
    header.boot_id = boot_id;
    JournalSeed seed;
    const std::string bytes = EncodeJournalHeader(header, &seed);
    EXPECT_EQ(bytes.size(), kJournalHeaderBytes);
    std::string damage;
    const std::optional<DecodedHeader> decoded =
        DecodeJournalHeader(bytes, &damage);
    ASSERT_TRUE(decoded.has_value()) << damage;
    EXPECT_EQ(decoded->header, header);
    EXPECT_EQ(decoded->seed.crc, seed.crc);
    EXPECT_EQ(damage, "");
  }
}

TEST(JournalFormatTest, AGrantComesBack) {
  for (uint64_t number = 0; number < 50; ++number) {
    const LeaseRecord record = MakeLeaseRecord(number);
    const std::string bytes = EncodeGrant(kSeed, record);
    EXPECT_EQ(bytes.size(), GrantRecordBytes(record));
    EXPECT_NE(bytes.back(), '\0') << "a part of it would pass for whole";
    LeaseRecord read;
    ASSERT_TRUE(DecodeGrant(kJournalVersion,
                            PayloadOf(bytes, RecordType::kGrant), &read));
    EXPECT_EQ(read, record);
  }
}

TEST(JournalFormatTest, TheLongestGrantComesBack) {
  LeaseRecord record = MakeLeaseRecord(UINT64_MAX);
  record.holder_command = std::string(LeaseRecord::kMaxCommandBytes, '\xff');
  record.file_name = std::string(LeaseRecord::kMaxFileNameBytes, '\xff');
  record.buffer_name = std::string(LeaseRecord::kMaxBufferNameBytes, '\xff');
  record.holder_pid = -1;
  record.ttl = absl::InfiniteDuration();
  record.granted_at = absl::UnixEpoch() - absl::Nanoseconds(1);
  LeaseRecord read;
  const std::string bytes = EncodeGrant(kSeed, record);
  ASSERT_TRUE(DecodeGrant(kJournalVersion, PayloadOf(bytes, RecordType::kGrant),
                          &read));
  EXPECT_EQ(read, record);
}

TEST(JournalFormatTest, ARenewalAndAnEndComeBack) {
  const LeaseId id = MakeLeaseRecord(4).id;
  LeaseId read;
  absl::Duration ttl;
  const std::string renewal = EncodeRenewal(kSeed, id, absl::Seconds(9));
  EXPECT_EQ(renewal.size(), kRenewalRecordBytes);
  ASSERT_TRUE(
      DecodeRenewal(PayloadOf(renewal, RecordType::kRenewal), &read, &ttl));
  EXPECT_EQ(read, id);
  EXPECT_EQ(ttl, absl::Seconds(9));

  const std::string end = EncodeEnd(kSeed, id);
  EXPECT_EQ(end.size(), kEndRecordBytes);
  read = LeaseId();
  ASSERT_TRUE(DecodeEnd(PayloadOf(end, RecordType::kEnd), &read));
  EXPECT_EQ(read, id);
}

TEST(JournalFormatTest, AReplacementComesBack) {
  const LeaseId replaced = MakeLeaseRecord(4).id;
  const LeaseRecord record = MakeLeaseRecord(5);
  const std::string bytes = EncodeReplacement(kSeed, replaced, record);
  EXPECT_EQ(bytes.size(), ReplacementRecordBytes(record));
  LeaseId read_id;
  LeaseRecord read;
  ASSERT_TRUE(DecodeReplacement(kJournalVersion,
                                PayloadOf(bytes, RecordType::kReplacement),
                                &read_id, &read));
  EXPECT_EQ(read_id, replaced);
  EXPECT_EQ(read, record);
}

TEST(JournalFormatTest, WhatIsTooShortOrTooLongIsNoPayload) {
  LeaseRecord record;
  LeaseId id;
  absl::Duration ttl;
  const std::string grant = EncodeGrant(kSeed, MakeLeaseRecord(3));
  const std::string payload(PayloadOf(grant, RecordType::kGrant));
  for (size_t bytes = 0; bytes < payload.size(); ++bytes) {
    EXPECT_FALSE(
        DecodeGrant(kJournalVersion, payload.substr(0, bytes), &record))
        << bytes;
  }
  EXPECT_FALSE(DecodeGrant(kJournalVersion, payload + "x", &record));
  EXPECT_FALSE(DecodeRenewal(std::string(23, 'x'), &id, &ttl));
  EXPECT_FALSE(DecodeRenewal(std::string(25, '\0'), &id, &ttl));
  EXPECT_FALSE(DecodeEnd(std::string(15, 'x'), &id));
  EXPECT_FALSE(DecodeEnd(std::string(17, 'x'), &id));
}

TEST(JournalFormatTest, ANegativeTtlIsNone) {
  LeaseId id;
  absl::Duration ttl;
  const std::string bytes = EncodeRenewal(kSeed, id, -absl::Nanoseconds(1));
  EXPECT_FALSE(
      DecodeRenewal(PayloadOf(bytes, RecordType::kRenewal), &id, &ttl));
}

TEST(JournalFormatTest, ARecordOfAnotherSnapshotIsNone) {
  JournalSeed earlier;
  JournalSeed later;
  JournalHeader header = Header();
  EncodeJournalHeader(header, &earlier);
  ++header.snapshot;
  EncodeJournalHeader(header, &later);
  const std::string record = EncodeEnd(earlier, LeaseId{1, 2});
  std::string damage;
  EXPECT_TRUE(DecodeFrame(earlier, record, &damage).has_value());
  EXPECT_FALSE(DecodeFrame(later, record, &damage).has_value());
  EXPECT_EQ(damage, "the checksum of a record of 16 bytes is wrong");
}

}  // namespace
}  // namespace warmpool
