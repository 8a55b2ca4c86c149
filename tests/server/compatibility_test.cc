// Clients of other versions at this daemon: those that know less, and those
// that say what it does not know.
#include <string>

#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr uint64_t kBytes = 64 << 10;
// No message has a field of that number.
constexpr int kUnknownField = 1000;

class CompatibilityTest : public ::testing::Test {
 protected:
  template <typename Message>
  static Message OfALaterVersion(Message message) {
    auto* const unknown =
        message.GetReflection()->MutableUnknownFields(&message);
    unknown->AddVarint(kUnknownField, 7);
    unknown->AddLengthDelimited(kUnknownField + 1, "more");
    return message;
  }

  DaemonProcess daemon_{{"--default_ttl=0"}};
  RawClient client_{daemon_.target()};
};

// Its messages are given byte by byte: whatever becomes of the contract's
// source, they are what such a client sends.
TEST_F(CompatibilityTest, AClientOfTheFirstReleaseLeasesAndReleases) {
  const std::string id = KernelRandom::Get().Next().ToBytes();
  v1::LeaseRequest lease;
  // request_id = 1, size_bytes = 2, name = 3.
  ASSERT_TRUE(lease.ParseFromString("\x0a\x10" + id + "\x10\x80\x20" +
                                    "\x1a\x05"
                                    "frame"));
  const v1::GrantedLease granted = client_.MustLease(lease);
  EXPECT_EQ(granted.buffer_name(), "frame");
  EXPECT_EQ(granted.size_bytes(), 4096u);
  EXPECT_EQ(granted.mapped_bytes(), 4096u);
  EXPECT_GT(granted.generation(), 0u);
  EXPECT_EQ(granted.access(), v1::ACCESS_SHARED_WRITABLE);
  EXPECT_NE(granted.path(), "");
  v1::ReleaseRequest release;
  // leases = 1, of which lease_id = 1.
  ASSERT_TRUE(release.ParseFromString("\x0a\x12\x0a\x10" + granted.lease_id()));
  EXPECT_EQ(client_.Release(release).code(), 0);
}

TEST_F(CompatibilityTest, WhatALaterClientSaysBesidesIsPassedOver) {
  const v1::GrantedLease granted =
      client_.MustLease(OfALaterVersion(RawClient::LeaseOf(kBytes)));
  EXPECT_EQ(granted.size_bytes(), kBytes);
  EXPECT_EQ(
      client_.Release(OfALaterVersion(RawClient::ReleaseOf(granted))).code(),
      0);
}

TEST_F(CompatibilityTest, WhatALaterClientAsksForIsRefusedAndItsSessionGoesOn) {
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto stream = client_.stub().Session(&context);
  v1::SessionRequest unknown;
  unknown.set_tag(1);
  ASSERT_TRUE(stream->Write(OfALaterVersion(unknown)));
  v1::SessionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.reply().tag(), 1u);
  EXPECT_EQ(response.reply().status().code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::SessionRequest known;
  known.set_tag(2);
  *known.mutable_lease() = RawClient::LeaseOf(kBytes);
  ASSERT_TRUE(stream->Write(OfALaterVersion(known)));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.reply().status().code(), 0);
  EXPECT_EQ(response.reply().lease().lease().size_bytes(), kBytes);
}

}  // namespace
}  // namespace warmpool::testing
