// What tests of the journal stand on: leases to record, and the directory that
// it lies in.
#ifndef WARMPOOL_TESTS_CORE_JOURNAL_JOURNAL_FIXTURE_H_
#define WARMPOOL_TESTS_CORE_JOURNAL_JOURNAL_FIXTURE_H_

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/engine/unmap_batch.h"
#include "core/journal/journal.h"
#include "core/lease/lease_record.h"
#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

inline void PrintTo(const LeaseRecord& record, std::ostream* out) {
  *out << record.id.ToHex() << " ttl " << record.ttl << " generation "
       << record.generation;
}

inline constexpr char kBoot[] = "3f0e0c1c-6f0f-4a60-9d33-5c4f5a0c4f11";
inline constexpr char kAnotherBoot[] = "3f0e0c1c-6f0f-4a60-9d33-5c4f5a0c4f12";

// A lease like no other; all that it has differs from one number to the next.
inline LeaseRecord MakeLeaseRecord(uint64_t number) {
  LeaseRecord record;
  record.id = {number, ~number};
  record.request_id = {number << 32, number + 1};
  record.client_id = {number * 3, number * 5};
  record.holder_pid = static_cast<pid_t>(1000 + number);
  record.holder_uid = static_cast<uid_t>(2000 + number);
  record.holder_instance = number << 40 | 1;
  record.holder_command = "client" + std::to_string(number);
  record.file_name = record.request_id.ToHex() + ".seg";
  record.buffer_name = std::string(number % 40, 'n') + std::to_string(number);
  record.owner = static_cast<uid_t>(3000 + number);
  record.bytes = 5000 + number;
  record.segment_bytes = 8192 + number;
  record.page_bytes = number % 2 == 0 ? 4096 : 2 * kMiB;
  record.generation = number;
  record.kind = static_cast<LeaseKind>(number % 3);
  record.access = number % 2 == 0 ? Access::kReadOnly : Access::kSharedWritable;
  record.warmth = static_cast<Warmth>(number % 3);
  record.zeroed = number % 5 == 0;
  record.sealed = number % 2 == 0;
  record.linger = absl::Seconds(number % 4);
  record.share_with.uids.assign(number % 3, static_cast<uid_t>(number));
  record.share_with.gids.assign(number % 2, static_cast<gid_t>(number));
  record.ttl = absl::Milliseconds(1500 * (number % 7));
  record.granted_at = absl::UnixEpoch() + absl::Nanoseconds(1234567 * number);
  return record;
}

// A directory of the daemon's, open.
class JournalDirectory {
 public:
  explicit JournalDirectory(std::string path)
      : path_(std::move(path)),
        fd_(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    WARMPOOL_CHECK(fd_ >= 0, "the directory opens");
  }
  ~JournalDirectory() { close(fd_); }
  JournalDirectory(const JournalDirectory&) = delete;
  JournalDirectory& operator=(const JournalDirectory&) = delete;

  int fd() const { return fd_; }
  std::string Join(const std::string& name) const { return path_ + "/" + name; }

  std::string Contents(const std::string& name) const {
    std::ifstream file(Join(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file),
            std::istreambuf_iterator<char>()};
  }
  void SetContents(const std::string& name, const std::string& bytes) const {
    std::ofstream(Join(name), std::ios::binary | std::ios::trunc) << bytes;
  }

 private:
  const std::string path_;
  const int fd_;
};

// A journal that has begun.
inline absl::StatusOr<std::unique_ptr<Journal>> BeginJournal(
    int directory_fd, const std::string& boot_id,
    const Journal::Options& options, SystemCalls* calls,
    Journal::Replay* replay) {
  absl::StatusOr<std::unique_ptr<Journal>> journal =
      Journal::Open(directory_fd, boot_id, options, calls, replay);
  if (!journal.ok()) return journal;
  const absl::Status begun = (*journal)->Begin();
  if (!begun.ok()) return begun;
  return journal;
}

class JournalFixture : public testing::Test {
 protected:
  static constexpr uint64_t kSmall = 4096;

  absl::Status Open(const std::string& boot_id = kBoot,
                    uint64_t bytes = kSmall) {
    journal_.reset();
    replay_ = Journal::Replay();
    absl::StatusOr<std::unique_ptr<Journal>> opened =
        BeginJournal(directory_.fd(), boot_id, {bytes}, &calls_, &replay_);
    if (!opened.ok()) return opened.status();
    journal_ = *std::move(opened);
    journal_->CheckInvariants();
    return absl::OkStatus();
  }

  // Does what upkeep is due; the first error ends it.
  absl::Status Keep() {
    while (std::optional<Journal::Step> step = journal_->PlanStep()) {
      journal_->TakeStep(&*step);
      absl::Status committed = journal_->CommitStep(*step);
      journal_->CheckInvariants();
      if (!committed.ok()) return committed;
    }
    return absl::OkStatus();
  }

  // What a daemon that started at this instant would replay.
  std::vector<LeaseRecord> OnFile() const {
    const ParsedJournal parsed =
        ParseJournal(directory_.Contents("journal"), kBoot);
    EXPECT_EQ(parsed.damage, "");
    return {parsed.leases.begin(), parsed.leases.end()};
  }

  ScratchDirectory scratch_;
  const JournalDirectory directory_{scratch_.path()};
  FaultySystemCalls calls_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_JOURNAL_JOURNAL_FIXTURE_H_
