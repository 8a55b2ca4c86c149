// Who has what: buffers page by page.
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PoolListingTest : public PoolFixture {
 protected:
  PoolListingTest() { Make(InlineOptions()); }

  BufferPage List(HolderId holder, const BufferFilter& filter = {},
                  size_t page_size = 100, const std::string& token = "") {
    return pool_->List(holder, filter, page_size, token).value();
  }

  static std::vector<std::string> Names(const BufferPage& page) {
    std::vector<std::string> names;
    for (const BufferListing& buffer : page.buffers) {
      names.push_back(buffer.name);
    }
    return names;
  }
};

TEST_F(PoolListingTest, TellsEachBuffersHoldersAndAges) {
  const LeaseGrant lease =
      LeaseOrDie(kAlice, 100'000, "frames", absl::Seconds(60));
  clock_.Advance(absl::Seconds(10));
  const LeaseGrant attached = AttachOrDie(kBob, "frames", absl::ZeroDuration());
  clock_.Advance(absl::Seconds(5));

  const BufferPage page = List(kAlice);
  ASSERT_EQ(page.buffers.size(), 1u);
  EXPECT_EQ(page.next_page_token, "");
  const BufferListing& buffer = page.buffers[0];
  EXPECT_EQ(buffer.name, "frames");
  EXPECT_EQ(buffer.uid, 1000u);
  EXPECT_EQ(buffer.bytes, 100'000u);
  EXPECT_EQ(buffer.segment_bytes, 112 * kKiB);
  EXPECT_EQ(buffer.generation, lease.generation);
  EXPECT_EQ(path_ + "/" + buffer.file_name, lease.path);
  EXPECT_EQ(buffer.age, absl::Seconds(15));
  ASSERT_EQ(buffer.leases.size(), 2u);
  for (const BufferListing::Lease& held : buffer.leases) {
    const bool first = held.id == lease.id;
    EXPECT_EQ(held.id, first ? lease.id : attached.id);
    EXPECT_EQ(held.holder.pid, first ? 101 : 102);
    EXPECT_EQ(held.holder.command, first ? "alice" : "bob");
    EXPECT_EQ(held.age, first ? absl::Seconds(15) : absl::Seconds(5));
    EXPECT_EQ(held.ttl_left, first ? absl::Seconds(45) : absl::ZeroDuration());
    EXPECT_EQ(held.access, Access::kSharedWritable);
  }
}

TEST_F(PoolListingTest, ALeasePastItsTimeIsNotOneWithoutEnd) {
  // Until the next tick it is still there; zero means without end.
  LeaseOrDie(kAlice, 4096, "frames", absl::Seconds(5));
  for (int i = 0; i < 2; ++i) {
    clock_.Advance(absl::Seconds(5));
    const absl::Duration left = List(kAlice).buffers[0].leases[0].ttl_left;
    EXPECT_GT(left, absl::ZeroDuration());
    EXPECT_LT(left, absl::Milliseconds(1));
  }
}

TEST_F(PoolListingTest, OthersBuffersAreShownToAdminsOnly) {
  LeaseOrDie(kAlice, 4096, "a");
  LeaseOrDie(kCarol, 4096, "c");
  EXPECT_THAT(Names(List(kAlice)), ElementsAre("a"));
  EXPECT_THAT(Names(List(kBob)), ElementsAre("a")) << "the same uid";
  EXPECT_THAT(Names(List(kCarol)), ElementsAre("c"));
  EXPECT_THAT(Names(List(kAdmin)), ElementsAre("a", "c"));
  BufferFilter filter;
  filter.uid = 2000;
  EXPECT_THAT(Names(List(kAdmin, filter)), ElementsAre("c"));
  EXPECT_THAT(Names(List(kAlice, filter)), ElementsAre());
}

TEST_F(PoolListingTest, FiltersByPrefixAndPid) {
  LeaseOrDie(kAlice, 4096, "frames/1");
  LeaseOrDie(kBob, 4096, "frames/2");
  LeaseOrDie(kAlice, 4096, "frame");
  LeaseOrDie(kAlice, 4096, "sound");
  AttachOrDie(kAlice, "frames/2");
  BufferFilter filter;
  filter.name_prefix = "frames/";
  EXPECT_THAT(Names(List(kAlice, filter)), ElementsAre("frames/1", "frames/2"));
  filter.holder_pid = 102;
  EXPECT_THAT(Names(List(kAlice, filter)), ElementsAre("frames/2"));
  filter.holder_pid = 101;
  EXPECT_THAT(Names(List(kAlice, filter)), ElementsAre("frames/1", "frames/2"))
      << "an attached holder is a holder";
  filter.holder_pid = 4711;
  EXPECT_THAT(Names(List(kAlice, filter)), ElementsAre());
}

TEST_F(PoolListingTest, PagesGoThroughEverythingOnceInOrder) {
  std::vector<std::string> expected;
  for (int i = 0; i < 25; ++i) {
    expected.push_back("b" + std::to_string(100 + i));
    LeaseOrDie(i % 2 == 0 ? kAlice : kBob, 4096, expected.back());
  }
  // The same name under another uid is another buffer.
  LeaseOrDie(kCarol, 4096, "b110");
  expected.push_back("b110");
  for (const size_t page_size : {1, 7, 26, 100}) {
    std::vector<std::string> names;
    std::string token;
    size_t pages = 0;
    do {
      const BufferPage page = List(kAdmin, {}, page_size, token);
      for (const std::string& name : Names(page)) names.push_back(name);
      token = page.next_page_token;
      ASSERT_LE(++pages, 26u);
    } while (!token.empty());
    EXPECT_EQ(names, expected) << page_size;
    EXPECT_EQ(pages, (26 + page_size - 1) / page_size);
  }
}

TEST_F(PoolListingTest, TheDaemonItselfSeesAll) {
  LeaseOrDie(kCarol, 4096, "c");
  LeaseOrDie(kAlice, 4096, "a");
  const std::vector<BufferListing> all = pool_->ListAll();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[1].name, "c");
}

TEST_F(PoolListingTest, APageEndsWhereTheFilterFindsNoMore) {
  LeaseOrDie(kAlice, 4096, "a1");
  LeaseOrDie(kAlice, 4096, "a2");
  LeaseOrDie(kAlice, 4096, "b1");
  BufferFilter filter;
  filter.name_prefix = "a";
  const BufferPage page = List(kAlice, filter, 2);
  EXPECT_THAT(Names(page), ElementsAre("a1", "a2"));
  EXPECT_EQ(page.next_page_token, "");
}

TEST_F(PoolListingTest, PagesGoOnThoughTheBufferInBetweenHasEnded) {
  LeaseOrDie(kAlice, 4096, "a");
  const LeaseGrant next = LeaseOrDie(kAlice, 4096, "b");
  LeaseOrDie(kAlice, 4096, "c");
  const BufferPage page = List(kAlice, {}, 1);
  ASSERT_THAT(Names(page), ElementsAre("a"));
  ASSERT_THAT(Release(kAlice, next), IsOk());
  EXPECT_THAT(Names(List(kAlice, {}, 1, page.next_page_token)),
              ElementsAre("c"));
}

TEST_F(PoolListingTest, ABufferBeingMadeIsNotListed) {
  std::vector<std::string> names = {"unseen"};
  calls_.BeforeNext(Call::kFallocate, [&] { names = Names(List(kAlice)); });
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(names, ElementsAre());
}

TEST_F(PoolListingTest, TokensOfNobodysMakingAreRefusedWithTheirBytesEscaped) {
  for (const std::string& token :
       {std::string("garbage"), std::string(":"), std::string("x:y"),
        std::string("-1:a"), std::string("99999999999:a")}) {
    EXPECT_THAT(pool_->List(kAlice, {}, 10, token),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr('"' + token + '"')));
  }
  EXPECT_THAT(
      pool_->List(kAlice, {}, 10, "\x1b[31m"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\\x1b[31m")));
}

}  // namespace
}  // namespace warmpool
