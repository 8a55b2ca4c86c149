#include "client/rpc/buffer_pages.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A buffer with its leases, as a page shows it.
v1::Buffer Shown(const std::string& name, std::vector<std::string> leases,
                 uint32_t uid = 0, uint64_t generation = 1) {
  v1::Buffer buffer;
  buffer.set_name(name);
  buffer.set_uid(uid);
  buffer.set_generation(generation);
  for (const std::string& id : leases) buffer.add_leases()->set_lease_id(id);
  return buffer;
}

std::string Text(const v1::Buffer& buffer) {
  std::string text = buffer.name();
  for (const v1::BufferLease& lease : buffer.leases()) {
    text += " " + lease.lease_id();
  }
  return text;
}

// A daemon with these pages, one after another.
class BufferPagesTest : public ::testing::Test {
 protected:
  absl::StatusOr<v1::ListBuffersResponse> Page(
      const v1::ListBuffersRequest& request) {
    EXPECT_EQ(request.name_prefix(), "b");
    EXPECT_EQ(request.page_size(), 1000u);
    const size_t page =
        request.page_token().empty() ? 0 : std::stoul(request.page_token());
    v1::ListBuffersResponse response;
    response.mutable_buffers()->Add(pages_[page].begin(), pages_[page].end());
    if (page + 1 < pages_.size()) {
      response.set_next_page_token(std::to_string(page + 1));
    }
    return response;
  }

  std::vector<std::string> All() {
    v1::ListBuffersRequest filter;
    filter.set_name_prefix("b");
    filter.set_page_token("ignored");
    const absl::StatusOr<std::vector<v1::Buffer>> all =
        ListAll(filter, [this](const auto& request) { return Page(request); });
    EXPECT_THAT(all, IsOk());
    std::vector<std::string> texts;
    for (const v1::Buffer& buffer : *all) texts.push_back(Text(buffer));
    return texts;
  }

  std::vector<std::vector<v1::Buffer>> pages_;
};

TEST_F(BufferPagesTest, GoesOnAfterPagesWithoutBuffers) {
  pages_ = {{}, {Shown("b/1", {"x"})}, {}, {}, {Shown("b/2", {"y"})}, {}};
  EXPECT_THAT(All(), ElementsAre("b/1 x", "b/2 y"));
}

TEST_F(BufferPagesTest, ABufferOnTwoPagesIsOneWithTheLeasesOfBoth) {
  pages_ = {{Shown("b/1", {"x"}), Shown("b/2", {"a", "b"})},
            // A lease is on both where the list changed in between.
            {Shown("b/2", {"b", "c"})},
            {},
            {Shown("b/2", {"d"}), Shown("b/3", {"z"})}};
  EXPECT_THAT(All(), ElementsAre("b/1 x", "b/2 a b c d", "b/3 z"));
}

TEST_F(BufferPagesTest, TicketsHaveNoIdsAndAreAllShown) {
  pages_ = {{Shown("b/1", {""})}, {Shown("b/1", {""})}};
  EXPECT_THAT(All(), ElementsAre("b/1  "));
}

TEST_F(BufferPagesTest, BuffersOfOneNameAreNotOne) {
  pages_ = {{Shown("b/1", {"x"}, /*uid=*/1)},
            {Shown("b/1", {"y"}, /*uid=*/2)},
            // The one of that name ended, and there is another.
            {Shown("b/1", {"z"}, /*uid=*/2, /*generation=*/2)}};
  EXPECT_THAT(All(), ElementsAre("b/1 x", "b/1 y", "b/1 z"));
}

TEST_F(BufferPagesTest, AnErrorInAnyPageIsTheLists) {
  int asked = 0;
  const auto ask = [&](const auto&) -> absl::StatusOr<v1::ListBuffersResponse> {
    if (++asked == 2) return absl::UnavailableError("gone");
    v1::ListBuffersResponse response;
    response.set_next_page_token("next");
    return response;
  };
  EXPECT_THAT(ListAll({}, ask), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(BufferPagesTest, APageThatLeadsToItselfIsAnError) {
  const auto ask = [](const auto&) -> absl::StatusOr<v1::ListBuffersResponse> {
    v1::ListBuffersResponse response;
    response.set_next_page_token("same");
    return response;
  };
  EXPECT_THAT(ListAll({}, ask),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("\"same\"")));
}

}  // namespace
}  // namespace warmpool
