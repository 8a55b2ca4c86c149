#include "client/cli/listing.h"

#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<v1::Buffer> SomeBuffers() {
  v1::Buffer buffer;
  buffer.set_name("camera/frame");
  buffer.set_uid(1000);
  buffer.set_size_bytes(2 << 20);
  buffer.set_mapped_bytes(2 << 20);
  v1::BufferLease* lease = buffer.add_leases();
  lease->set_lease_id(std::string("\x01\xab", 2) + std::string(14, '\0'));
  lease->set_pid(77);
  lease->set_uid(1000);
  lease->set_command("camera");
  lease->mutable_age()->set_seconds(125);
  lease->set_access(v1::ACCESS_SHARED_WRITABLE);
  lease = buffer.add_leases();
  lease->set_lease_id(std::string(16, '\xff'));
  lease->set_pid(78);
  lease->mutable_ttl_left()->set_seconds(9);
  lease->set_access(v1::ACCESS_READ_ONLY);
  lease->set_state(v1::LEASE_STATE_RECOVERING);
  return {buffer};
}

TEST(ListingTest, LeaseIdsAreHexadecimal) {
  const cli::BufferListing listing = MakeListing(SomeBuffers());
  ASSERT_EQ(listing.buffers_size(), 1);
  ASSERT_EQ(listing.buffers(0).leases_size(), 2);
  EXPECT_EQ(listing.buffers(0).leases(0).lease_id(),
            "01ab0000000000000000000000000000");
  EXPECT_EQ(listing.buffers(0).leases(0).age_seconds(), 125);
  EXPECT_EQ(listing.buffers(0).leases(0).access(), "writable");
  EXPECT_EQ(listing.buffers(0).leases(1).access(), "read_only");
  EXPECT_EQ(listing.buffers(0).leases(0).state(), "live");
  EXPECT_EQ(listing.buffers(0).leases(1).state(), "recovering");
  EXPECT_EQ(listing.buffers(0).leases(1).ttl_left_seconds(), 9);
}

TEST(ListingTest, TheTableHasALineForEachLease) {
  EXPECT_EQ(
      ListingText(MakeListing(SomeBuffers())),
      "NAME           SIZE  CLASS  ATTACHED   UID  PID  COMMAND    AGE  TTL "
      "LEFT  ACCESS     STATE       LEASE\n"
      "camera/frame  2 MiB  2 MiB         2  1000   77  camera   2m05s   "
      "process  writable   live        01ab0000000000000000000000000000\n"
      "camera/frame  2 MiB  2 MiB         2     0   78  ?           0s        "
      "9s  read_only  recovering  ffffffffffffffffffffffffffffffff\n");
}

TEST(ListingTest, ALeaseThatNobodyHasSaysWhatItIsFor) {
  std::vector<v1::Buffer> buffers = SomeBuffers();
  buffers[0].set_sealed(true);
  v1::BufferLease& ticket = *buffers[0].add_leases();
  ticket.set_state(v1::LEASE_STATE_TICKET);
  const cli::BufferListing listing = MakeListing(buffers);
  EXPECT_EQ(listing.buffers(0).attached(), 2u);
  EXPECT_TRUE(listing.buffers(0).sealed());
  EXPECT_EQ(listing.buffers(0).leases(2).state(), "ticket");
  EXPECT_THAT(ListingText(listing), HasSubstr("  sealed  "));
  EXPECT_THAT(ListingText(listing), HasSubstr("  -  -  "));
  ticket.set_maker_pid(77);
  ticket.set_maker_command("camera");
  EXPECT_EQ(MakeListing(buffers).buffers(0).leases(2).maker_pid(), 77);
  EXPECT_THAT(ListingText(MakeListing(buffers)),
              HasSubstr("  by camera (77)  "));
}

TEST(ListingTest, LeasesThatAreNotToldAreCounted) {
  std::vector<v1::Buffer> buffers = SomeBuffers();
  buffers[0].set_total_leases(5000);
  EXPECT_EQ(MakeListing(buffers).buffers(0).attached(), 5000u);
}

// The daemon tells them by uid first.
TEST(ListingTest, TheSameNamesOfSeveralUsersStandTogether) {
  std::vector<v1::Buffer> buffers(4);
  for (int i = 0; i < 4; ++i) {
    buffers[i].set_uid(1000 + i / 2);
    buffers[i].set_name(i % 2 == 0 ? "a" : "b");
  }
  cli::BufferListing listing = MakeListing(buffers);
  SortBuffers(BufferOrder::kName, &listing);
  std::vector<std::string> order;
  for (const cli::ListedBuffer& buffer : listing.buffers()) {
    order.push_back(buffer.name() + std::to_string(buffer.uid()));
  }
  EXPECT_THAT(order, ElementsAre("a1000", "a1001", "b1000", "b1001"));
}

std::vector<std::string> NamesBy(const char* order) {
  v1::Buffer small;
  small.set_name("a/small");
  small.set_mapped_bytes(4096);
  small.mutable_age()->set_seconds(100);
  v1::BufferLease* lease = small.add_leases();
  lease->set_pid(9);
  lease = small.add_leases();
  lease->set_pid(10);
  lease->mutable_ttl_left()->set_seconds(3);
  v1::Buffer large;
  large.set_name("b/large");
  large.set_mapped_bytes(8192);
  large.mutable_age()->set_seconds(1);
  lease = large.add_leases();
  lease->set_pid(5);
  cli::BufferListing listing = MakeListing({small, large});
  SortBuffers(*BufferOrderNamed(order), &listing);
  return {listing.buffers(0).name(), listing.buffers(1).name()};
}

TEST(ListingTest, BuffersAreSortedAsAskedFor) {
  EXPECT_THAT(NamesBy("name"), ElementsAre("a/small", "b/large"));
  EXPECT_THAT(NamesBy("size"), ElementsAre("b/large", "a/small"));
  EXPECT_THAT(NamesBy("age"), ElementsAre("a/small", "b/large"));
  EXPECT_THAT(NamesBy("attached"), ElementsAre("a/small", "b/large"));
  EXPECT_THAT(NamesBy("pid"), ElementsAre("b/large", "a/small"));
  EXPECT_THAT(NamesBy("ttl"), ElementsAre("a/small", "b/large"));
  EXPECT_EQ(BufferOrderNamed("colour"), std::nullopt);
}

TEST(ListingTest, AChannelIsShownWithItsMembersAndWhatTheyShare) {
  std::vector<v1::Buffer> buffers = SomeBuffers();
  for (const char* const name : {"channel:frames:01", "channel:frames:02"}) {
    v1::Buffer& buffer = buffers.emplace_back(SomeBuffers()[0]);
    buffer.set_name(name);
    buffer.set_channel("frames");
  }
  // Nobody has this lease.
  buffers.back().add_leases();
  const cli::BufferListing listing = MakeListing(buffers);
  EXPECT_EQ(listing.buffers(0).channel(), "");
  EXPECT_EQ(listing.buffers(1).channel(), "frames");
  ASSERT_EQ(listing.channels_size(), 1);
  EXPECT_THAT(listing.channels(0).member_pids(), ElementsAre(77, 78));
  EXPECT_THAT(ListingText(listing),
              HasSubstr("\n\nCHANNEL   UID  BUFFERS   SIZE  MEMBERS\n"
                        "frames   1000        2  4 MiB  77 78\n"));
  EXPECT_THAT(ListingText(MakeListing(SomeBuffers())),
              Not(HasSubstr("CHANNEL")));
}

TEST(ListingTest, WithoutBuffersThereAreOnlyTheNamesOfTheColumns) {
  EXPECT_THAT(ListingText(MakeListing({})), HasSubstr("TTL LEFT"));
}

}  // namespace
}  // namespace warmpool
