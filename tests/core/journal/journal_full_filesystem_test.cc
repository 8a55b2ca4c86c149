// The journal on a tmpfs that is really full.
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/journal/journal.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"
#include "tests/core/memory/small_tmpfs.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class JournalFullFilesystemTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!filesystem_.problem().empty()) {
      GTEST_SKIP() << filesystem_.problem();
    }
    directory_ = std::make_unique<JournalDirectory>(filesystem_.Join(""));
  }

  absl::Status Open() {
    journal_.reset();
    auto opened = BeginJournal(directory_->fd(), kBoot, {16 * kKiB},
                               &LinuxSystemCalls::Get(), &replay_);
    if (opened.ok()) journal_ = *std::move(opened);
    return opened.status();
  }

  // Takes all that is left.
  void Fill() {
    const int fd = open(filesystem_.Join("filler").c_str(),
                        O_WRONLY | O_CREAT | O_APPEND, 0600);
    const std::vector<char> page(4096);
    while (write(fd, page.data(), page.size()) > 0) {
    }
    close(fd);
  }

  SmallTmpfs filesystem_{"size=1m"};
  std::unique_ptr<JournalDirectory> directory_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalFullFilesystemTest, EndsSucceedGrantsAreRefusedAndItStartsAgain) {
  ASSERT_THAT(Open(), IsOk());
  Fill();
  std::vector<LeaseRecord> leases;
  absl::Status refusal;
  while (refusal.ok()) {
    const LeaseRecord record = MakeLeaseRecord(leases.size());
    refusal = journal_->AppendGrant(record);
    if (refusal.ok()) leases.push_back(record);
    ASSERT_LT(leases.size(), 1000u);
  }
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("0 bytes free")));
  EXPECT_GT(leases.size(), 50u);
  journal_->CheckInvariants();

  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.leases, leases);
  EXPECT_EQ(replay_.damage, "");
  for (const LeaseRecord& lease : leases) {
    ASSERT_THAT(journal_->AppendRenewal(lease.id, absl::Hours(1)), IsOk());
    ASSERT_THAT(journal_->AppendEnd(lease.id), IsOk());
    journal_->CheckInvariants();
  }
  ASSERT_THAT(Open(), IsOk());
  EXPECT_TRUE(replay_.leases.empty());
}

TEST_F(JournalFullFilesystemTest, GrowsOnceThereIsRoom) {
  ASSERT_THAT(Open(), IsOk());
  Fill();
  uint64_t number = 0;
  while (journal_->AppendGrant(MakeLeaseRecord(number)).ok()) ++number;
  const uint64_t bytes = journal_->bytes();
  ASSERT_EQ(unlink(filesystem_.Join("filler").c_str()), 0);
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(number)), IsOk());
  EXPECT_EQ(journal_->bytes(), 2 * bytes);
  journal_->CheckInvariants();
}

TEST_F(JournalFullFilesystemTest, AFirstStartMakesDoWithAPageForEachFile) {
  Fill();
  const std::string filler = filesystem_.Join("filler");
  std::filesystem::resize_file(filler,
                               std::filesystem::file_size(filler) - 2 * 4096);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(journal_->bytes(), 2 * 4096u);
  journal_->CheckInvariants();
  ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.leases, std::vector{MakeLeaseRecord(1)});
  // Once there is room it is as long as it should have been.
  std::filesystem::remove(filler);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(journal_->bytes(), 2 * 16 * kKiB);
}

TEST_F(JournalFullFilesystemTest, AFirstStartWithoutAPageSaysWhatToDo) {
  Fill();
  EXPECT_THAT(Open(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("a journal of 4096 bytes"),
                             HasSubstr("0 bytes free"),
                             HasSubstr("remove files there, or mount it "
                                       "larger"))));
}

TEST(JournalWithoutInodesTest, AFirstStartSaysWhatToDo) {
  // The mount and one of the journal's two files.
  const SmallTmpfs filesystem("size=1m,nr_inodes=2");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  const JournalDirectory directory(filesystem.Join(""));
  Journal::Replay replay;
  EXPECT_THAT(BeginJournal(directory.fd(), kBoot, {16 * kKiB},
                           &LinuxSystemCalls::Get(), &replay)
                  .status(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("a larger nr_inodes=")));
}

}  // namespace
}  // namespace warmpool
