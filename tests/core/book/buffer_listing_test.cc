// What a page costs, whatever there is; and that pages together tell all.
#include "core/book/buffer_listing.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/seeded_random.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uid_t kUid = 1000;
constexpr HolderId kAlice = 1;
constexpr HolderId kBob = 2;

class BufferListingTest : public testing::Test {
 protected:
  BufferListingTest() {
    AddHolder(kAlice, 101, kUid);
    AddHolder(kBob, 102, kUid);
  }
  ~BufferListingTest() override {
    for (const LeaseId& id : table_.Leases()) End(id);
  }

  void AddHolder(HolderId id, pid_t pid, uid_t uid) {
    table_.AddHolder({id, pid, uid, "client", false});
    uids_[id] = uid;
  }

  LeaseTable::Lease NewLease(HolderId holder, const ClientId& client) {
    LeaseTable::Lease lease;
    lease.id = random_.Next();
    lease.holder = holder;
    lease.request_id = random_.Next();
    lease.client_id = client;
    return lease;
  }
  LeaseId Grant(HolderId holder, const std::string& name,
                const ClientId& client = {}) {
    const uid_t uid = uids_.at(holder);
    EXPECT_THAT(table_.ReserveName(uid, name, absl::UnixEpoch()), IsOk());
    LeaseTable::Buffer buffer;
    buffer.name = name;
    buffer.uid = uid;
    return table_.AddBuffer(std::move(buffer), NewLease(holder, client)).id;
  }
  LeaseId Attach(HolderId holder, const std::string& name,
                 const ClientId& client = {}) {
    return table_
        .AddLease(table_.FindBuffer(uids_.at(holder), name),
                  NewLease(holder, client))
        .id;
  }
  void End(const LeaseId& id) {
    (void)table_.Unpin(table_.End(id, EndCause::kReleased).buffer);
  }

  static Holder Admin() {
    Holder admin;
    admin.admin = true;
    return admin;
  }
  static Holder User(uid_t uid) {
    Holder user;
    user.uid = uid;
    return user;
  }

  BufferPage Page(const BufferFilter& filter, const std::string& token = "",
                  size_t page_size = 1000, const Holder& caller = Admin()) {
    return ListBuffers(table_, caller, filter, page_size, token,
                       absl::UnixEpoch())
        .value();
  }
  // To the last. None looks at much.
  std::vector<BufferPage> Pages(const BufferFilter& filter,
                                size_t page_size = 1000,
                                const Holder& caller = Admin()) {
    std::vector<BufferPage> pages;
    std::string token;
    do {
      pages.push_back(Page(filter, token, page_size, caller));
      EXPECT_LE(pages.back().looks, kMostLooks + kMostLeasesShown);
      EXPECT_LE(pages.back().buffers.size(), page_size);
      EXPECT_NE(pages.back().next_page_token, token.empty() ? "-" : token)
          << "a page that comes no further";
      token = pages.back().next_page_token;
    } while (!token.empty());
    return pages;
  }
  static std::vector<std::string> Names(const std::vector<BufferPage>& pages) {
    std::vector<std::string> names;
    for (const BufferPage& page : pages) {
      for (const BufferListing& buffer : page.buffers) {
        names.push_back(buffer.name);
      }
    }
    return names;
  }

  SeededRandom random_{1};
  LeaseTable table_;
  std::map<HolderId, uid_t> uids_;
};

TEST_F(BufferListingTest, WhatFitsAFilterIsFoundWithoutALookAtTheRest) {
  constexpr int kBuffers = 40'000;
  const ClientId client{7, 7};
  for (int i = 0; i < kBuffers; ++i) {
    Grant(kAlice, absl::StrCat("b", i), ClientId{1, 1});
  }
  Attach(kBob, "b17", client);
  Attach(kBob, "b4", client);

  BufferFilter of_client;
  of_client.client = client;
  BufferFilter of_pid;
  of_pid.holder_pid = 102;
  for (const BufferFilter& filter : {of_client, of_pid}) {
    const std::vector<BufferPage> pages = Pages(filter);
    EXPECT_THAT(Names(pages), ElementsAre("b17", "b4"));
    ASSERT_THAT(pages, SizeIs(1));
    EXPECT_LE(pages[0].looks, 10u);
  }

  std::vector<BufferFilter> fitting_nothing(4);
  fitting_nothing[0].client = ClientId{8, 8};
  fitting_nothing[1].holder_pid = 4711;
  fitting_nothing[2].uid = kUid + 1;
  fitting_nothing[3].name_prefix = "b4x";
  for (const BufferFilter& filter : fitting_nothing) {
    const std::vector<BufferPage> pages = Pages(filter);
    EXPECT_THAT(Names(pages), IsEmpty());
    ASSERT_THAT(pages, SizeIs(1));
    EXPECT_LE(pages[0].looks, 2u);
  }
  EXPECT_THAT(Pages({}, 1000, User(kUid + 1)), SizeIs(1));
}

TEST_F(BufferListingTest, WhatFitsTwoFiltersIsLookedForInPieces) {
  const ClientId client{7, 7};
  constexpr int kBuffers = 20'000;
  for (int i = 0; i < kBuffers; ++i) {
    Grant(i % 2 == 0 ? kAlice : kBob, absl::StrCat("b", 100'000 + i),
          i % 2 == 0 ? client : ClientId());
  }
  Attach(kBob, "b119000");
  BufferFilter filter;
  filter.client = client;
  filter.holder_pid = 102;
  const BufferPage first = Page(filter);
  EXPECT_THAT(first.buffers, IsEmpty());
  EXPECT_NE(first.next_page_token, "");
  EXPECT_LE(first.looks, kMostLooks + 1);

  const std::vector<BufferPage> pages = Pages(filter);
  EXPECT_THAT(Names(pages), ElementsAre("b119000"));
  EXPECT_GT(pages.size(), 10u);
}

TEST_F(BufferListingTest, APrefixIsLookedForInEachUidAndNowhereElse) {
  std::vector<std::string> expected;
  for (HolderId id = 10; id < 30; ++id) {
    AddHolder(id, 1000 + static_cast<pid_t>(id), 2000 + id);
    for (int i = 0; i < 500; ++i) Grant(id, absl::StrCat("a", i));
    for (int i = 0; i < 500; ++i) Grant(id, absl::StrCat("z", i));
    if (id % 2 == 0) continue;
    expected.push_back(absl::StrCat("m/", id));
    Grant(id, expected.back());
  }
  BufferFilter filter;
  filter.name_prefix = "m/";
  const std::vector<BufferPage> pages = Pages(filter);
  EXPECT_EQ(Names(pages), expected);
  EXPECT_THAT(pages, SizeIs(1));
  EXPECT_LE(pages[0].looks, 100u);
  // Whatever the token says, nobody looks at another's.
  EXPECT_LE(Page(filter, "2011:a", 1000, User(2013)).looks, 4u);
  EXPECT_THAT(Names({Page(filter, "2011:a", 1000, User(2013))}),
              ElementsAre("m/13"));
  EXPECT_THAT(Page(filter, "2015:a", 1000, User(2013)).buffers, IsEmpty());
}

TEST_F(BufferListingTest, OfManyLeasesSomeAreToldAndHowManyThereAre) {
  Grant(kAlice, "a");
  constexpr size_t kLeases = 5000;
  Grant(kAlice, "many");
  for (size_t i = 1; i < kLeases; ++i) Attach(kAlice, "many");
  Grant(kAlice, "z");
  const std::vector<BufferPage> pages = Pages({});
  EXPECT_THAT(Names(pages), ElementsAre("a", "many", "z"));
  ASSERT_THAT(pages, SizeIs(1));
  EXPECT_THAT(pages[0].buffers[1].leases, SizeIs(kMostLeasesShown));
  EXPECT_EQ(pages[0].buffers[1].total_leases, kLeases);
  EXPECT_LE(pages[0].looks, kMostLeasesShown + 10);

  // Those of the process that was asked for come first.
  std::set<LeaseId> bobs;
  for (int i = 0; i < 3; ++i) bobs.insert(Attach(kBob, "many"));
  BufferFilter filter;
  filter.holder_pid = 102;
  const BufferPage page = Page(filter);
  ASSERT_THAT(page.buffers, SizeIs(1));
  const auto& leases = page.buffers[0].leases;
  ASSERT_THAT(leases, SizeIs(kMostLeasesShown));
  std::set<LeaseId> ids;
  for (const BufferListing::Lease& lease : leases) ids.insert(lease.id);
  EXPECT_THAT(ids, SizeIs(kMostLeasesShown)) << "told twice";
  EXPECT_EQ((std::set<LeaseId>{leases[0].id, leases[1].id, leases[2].id}),
            bobs);
}

TEST_F(BufferListingTest, AllOfAClientsLeasesAreToldHoweverManyOnOneBuffer) {
  const ClientId client{7, 7};
  std::multiset<LeaseId> expected;
  for (const char* const name : {"a", "many", "z"}) Grant(kBob, name);
  expected.insert(Attach(kAlice, "a", client));
  for (int i = 0; i < 2500; ++i) {
    expected.insert(Attach(kAlice, "many", client));
    Attach(kBob, "many", ClientId{8, 8});
  }
  expected.insert(Attach(kAlice, "z", client));

  BufferFilter filter;
  filter.client = client;
  const std::vector<BufferPage> pages = Pages(filter);
  std::multiset<LeaseId> told;
  size_t pages_with_many = 0;
  for (const BufferPage& page : pages) {
    EXPECT_LE(page.looks, kMostLooks + 1);
    for (const BufferListing& buffer : page.buffers) {
      if (buffer.name == "many") {
        ++pages_with_many;
        EXPECT_EQ(buffer.total_leases, 5001u);
      }
      for (const auto& lease : buffer.leases) told.insert(lease.id);
      EXPECT_THAT(buffer.leases,
                  Each(Field(&BufferListing::Lease::client_id, client)));
    }
  }
  EXPECT_EQ(told, expected);
  EXPECT_EQ(pages_with_many, 3u);

  // Those that end in between take none of the others with them.
  const BufferPage first = Page(filter);
  for (const BufferListing& buffer : first.buffers) {
    for (const auto& lease : buffer.leases) {
      expected.erase(lease.id);
      End(lease.id);
    }
  }
  std::multiset<LeaseId> rest;
  std::string token = first.next_page_token;
  while (!token.empty()) {
    const BufferPage page = Page(filter, token);
    for (const BufferListing& buffer : page.buffers) {
      for (const auto& lease : buffer.leases) rest.insert(lease.id);
    }
    token = page.next_page_token;
  }
  EXPECT_EQ(rest, expected);
}

// Against a look at everything.
TEST_F(BufferListingTest, PagesTogetherAreWhatFits) {
  for (HolderId id = 3; id < 9; ++id) {
    // Two of them are one process.
    AddHolder(id, 100 + static_cast<pid_t>(id / 2), kUid + id % 3);
  }
  const auto pick = [this](uint64_t bound) {
    return random_.Next().high % bound;
  };
  struct Known {
    pid_t pid;
    ClientId client;
    LeaseId id;
  };
  std::map<std::pair<uid_t, std::string>, std::vector<Known>> buffers;
  for (int i = 0; i < 400; ++i) {
    const HolderId holder = 1 + pick(8);
    const pid_t pid = table_.holders().Find(holder)->pid;
    const std::string name(1 + pick(3), static_cast<char>('a' + pick(3)));
    const std::string full = absl::StrCat(name, pick(9));
    const ClientId client{pick(4), 0};
    std::vector<Known>& known = buffers[{uids_.at(holder), full}];
    const LeaseId id = known.empty() ? Grant(holder, full, client)
                                     : Attach(holder, full, client);
    known.push_back({pid, client, id});
  }
  table_.CheckInvariants();
  for (int i = 0; i < 500; ++i) {
    BufferFilter filter;
    if (pick(2) == 0) {
      filter.name_prefix =
          std::string(1 + pick(2), static_cast<char>('a' + pick(3)));
    }
    if (pick(2) == 0) filter.holder_pid = 100 + static_cast<pid_t>(pick(5));
    if (pick(2) == 0) filter.uid = kUid + pick(3);
    if (pick(2) == 0) filter.client = ClientId{1 + pick(4), 0};
    const Holder caller = pick(2) == 0 ? Admin() : User(kUid + pick(3));

    std::map<std::pair<uid_t, std::string>, std::set<LeaseId>> expected;
    for (const auto& [key, leases] : buffers) {
      if (!caller.admin && key.first != caller.uid) continue;
      if (filter.uid.has_value() && key.first != *filter.uid) continue;
      if (key.second.rfind(filter.name_prefix, 0) != 0) continue;
      bool of_pid = filter.holder_pid == 0;
      std::set<LeaseId> told;
      for (const Known& lease : leases) {
        of_pid |= lease.pid == filter.holder_pid;
        if (filter.client.value_or(lease.client) == lease.client) {
          told.insert(lease.id);
        }
      }
      if (of_pid && !told.empty()) expected[key] = told;
    }

    std::vector<std::pair<uid_t, std::string>> order;
    std::map<std::pair<uid_t, std::string>, std::set<LeaseId>> listed;
    for (const BufferPage& page : Pages(filter, 1 + pick(20), caller)) {
      for (const BufferListing& buffer : page.buffers) {
        order.emplace_back(buffer.uid, buffer.name);
        for (const auto& lease : buffer.leases) {
          listed[order.back()].insert(lease.id);
        }
      }
    }
    EXPECT_EQ(listed, expected);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_EQ(order.size(), expected.size());
  }
}

}  // namespace
}  // namespace warmpool
