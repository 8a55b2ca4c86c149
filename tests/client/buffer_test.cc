// Buffers, against a daemon that does as it is told.
#include "warmpool/buffer.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "client/admin/admin_calls.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kTwoMiB = 2 << 20;

// Whether this process has `path` mapped.
bool IsMapped(const std::string& path) {
  std::ostringstream maps;
  maps << std::ifstream("/proc/self/maps").rdbuf();
  return absl::StrContains(maps.str(), path);
}

class BufferTest : public ::testing::Test {
 protected:
  BufferTest() {
    daemon_.on_lease = [this](const auto&, v1::LeaseResponse* response) {
      *response->mutable_lease() = granted_;
      return grpc::Status::OK;
    };
    daemon_.on_attach = [this](const auto&, v1::AttachResponse* response) {
      *response->mutable_lease() = granted_;
      return grpc::Status::OK;
    };
    daemon_.on_release = [this](const v1::ReleaseRequest& request,
                                v1::ReleaseResponse* response) {
      EXPECT_EQ(request.leases_size(), 1);
      EXPECT_EQ(request.leases(0).lease_id(), granted_.lease_id());
      EXPECT_EQ(request.leases(0).generation(), granted_.generation());
      EXPECT_FALSE(IsMapped(granted_.path()));
      ++releases_;
      response->add_results();
      return grpc::Status::OK;
    };
    daemon_.Listen();
  }

  // The daemon sees every lease and release.
  Client Connect() {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_.target(), {.lease_cache_bytes = 0});
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  Buffer Lease() {
    absl::StatusOr<Buffer> buffer = Connect().Lease(granted_.size_bytes());
    EXPECT_THAT(buffer, IsOk());
    return *std::move(buffer);
  }

  ScriptedDaemon daemon_;
  v1::GrantedLease granted_ = daemon_.MakeLease(kTwoMiB);
  std::atomic<int> releases_ = 0;
};

TEST_F(BufferTest, AnEmptyOneHoldsNothing) {
  Buffer buffer;
  EXPECT_FALSE(buffer.valid());
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(buffer.size(), 0u);
  EXPECT_THAT(buffer.Renew(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(buffer.Release(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(BufferTest, ShowsTheSegmentThatTheLeaseNames) {
  granted_.set_size_bytes(kTwoMiB - 100);
  granted_.set_page_size_bytes(kTwoMiB);
  granted_.set_warmth(v1::WARMTH_STOCK);
  granted_.mutable_ttl()->set_seconds(60);
  Buffer buffer = Lease();
  EXPECT_TRUE(buffer.valid());
  EXPECT_EQ(buffer.size(), kTwoMiB - 100);
  EXPECT_EQ(buffer.mapped_size(), kTwoMiB);
  EXPECT_EQ(buffer.page_size(), kTwoMiB);
  EXPECT_EQ(buffer.span().size(), buffer.size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % kTwoMiB, 0u);
  EXPECT_EQ(buffer.name(), granted_.buffer_name());
  EXPECT_EQ(buffer.lease_id(), granted_.lease_id());
  EXPECT_EQ(buffer.generation(), granted_.generation());
  EXPECT_EQ(buffer.warmth(), BufferWarmth::kStock);
  EXPECT_EQ(buffer.ttl(), absl::Seconds(60));
  EXPECT_TRUE(buffer.zeroed());
  EXPECT_TRUE(buffer.writable());
  std::memcpy(buffer.data(), "seen", 4);
  std::string in_file(4, ' ');
  std::ifstream(granted_.path()).read(in_file.data(), 4);
  EXPECT_EQ(in_file, "seen");
}

TEST_F(BufferTest, OutlivesItsClientAndUnmapsBeforeItReleases) {
  {
    const Buffer buffer = Lease();
    EXPECT_TRUE(IsMapped(granted_.path()));
    EXPECT_EQ(releases_, 0);
  }
  // The last that had the connection has said all.
  EXPECT_EQ(releases_, 1);
}

TEST_F(BufferTest, IsReleasedOnce) {
  Buffer buffer = Lease();
  EXPECT_THAT(buffer.Release(), IsOk());
  EXPECT_FALSE(buffer.valid());
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_THAT(buffer.Release(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_EQ(releases_, 1);
}

TEST_F(BufferTest, StaysWhereATicketIsRefused) {
  const auto refused = grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                                    "others have leases on it");
  daemon_.on_make_ticket = [&](const auto&, auto*) {
    EXPECT_FALSE(IsMapped(granted_.path()));
    return refused;
  };
  daemon_.on_renew = [](const auto&, v1::RenewResponse* response) {
    response->add_renewed();
    return grpc::Status::OK;
  };
  Buffer buffer = Lease();
  std::memcpy(buffer.data(), "seen", 4);
  EXPECT_THAT(buffer.MakeTicket(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  ASSERT_TRUE(buffer.valid());
  EXPECT_EQ(std::memcmp(buffer.data(), "seen", 4), 0);
  EXPECT_EQ(buffer.size(), kTwoMiB);
}

// The segment may have another holder by then, and its file is still there.
TEST_F(BufferTest, IsNotMappedAgainIfItsLeaseEndedBeforeTheTicket) {
  const auto ended =
      grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "it has expired");
  daemon_.on_make_ticket = [&](const auto&, auto*) { return ended; };
  daemon_.on_renew = [&](const auto&, v1::RenewResponse* response) {
    v1::Result& result = *response->add_renewed()->mutable_result();
    result.set_code(static_cast<int>(ended.error_code()));
    return grpc::Status::OK;
  };
  Buffer buffer = Lease();
  EXPECT_THAT(buffer.MakeTicket(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_FALSE(buffer.valid());
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_FALSE(IsMapped(granted_.path()));
}

TEST_F(BufferTest, MovesItsLease) {
  Buffer first = Lease();
  std::byte* const data = first.data();
  Buffer second = std::move(first);
  EXPECT_EQ(second.data(), data);
  Buffer third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.size(), kTwoMiB);
  EXPECT_EQ(releases_, 0);
  third = Buffer();
  EXPECT_EQ(releases_, 1);
}

TEST_F(BufferTest, TheStatusOfAReleaseIsTheDaemons) {
  daemon_.on_release = [this](const auto&, v1::ReleaseResponse* response) {
    ++releases_;
    v1::Result* const result = response->add_results();
    result->set_code(grpc::StatusCode::FAILED_PRECONDITION);
    result->set_message("expired 5s ago");
    return grpc::Status::OK;
  };
  Buffer buffer = Lease();
  EXPECT_THAT(buffer.Release(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         "expired 5s ago"));
  EXPECT_FALSE(buffer.valid());
}

TEST_F(BufferTest, AReadOnlyOneCanNotBeWritten) {
  granted_.set_access(v1::ACCESS_READ_ONLY);
  std::filesystem::permissions(granted_.path(),
                               std::filesystem::perms::owner_read);
  Client client = Connect();
  absl::StatusOr<Buffer> buffer = client.Attach("name");
  ASSERT_THAT(buffer, IsOk());
  EXPECT_FALSE(buffer->writable());
  EXPECT_EQ(buffer->data()[0], std::byte{0});
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL);
    buffer->data()[0] = std::byte{1};
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(BufferTest, ALeaseThatCanNotBeMappedIsReleased) {
  Client client = Connect();
  std::filesystem::resize_file(granted_.path(), 4096);
  EXPECT_THAT(client.Lease(kTwoMiB),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(granted_.path())));
  EXPECT_EQ(releases_, 1);
  std::filesystem::remove(granted_.path());
  EXPECT_THAT(client.Attach("name"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(granted_.path())));
  EXPECT_EQ(releases_, 2);
}

TEST_F(BufferTest, AGrantThatMakesNoSenseIsReleased) {
  Client client = Connect();
  granted_.set_size_bytes(kTwoMiB + 1);
  EXPECT_THAT(client.Lease(1), StatusIs(absl::StatusCode::kInternal));
  granted_.set_size_bytes(0);
  EXPECT_THAT(client.Lease(1), StatusIs(absl::StatusCode::kInternal));
  granted_.set_size_bytes(1);
  granted_.set_mapped_bytes(~uint64_t{0});
  EXPECT_THAT(client.Lease(1), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(releases_, 3);
}

TEST_F(BufferTest, AForkedChildUnmapsItAndLeavesTheLease) {
  Buffer buffer = Lease();
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool left = absl::IsFailedPrecondition(buffer.Release());
    _exit(left && !IsMapped(granted_.path()) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(releases_, 0);
  EXPECT_TRUE(IsMapped(granted_.path()));
  EXPECT_THAT(buffer.Release(), IsOk());
}

// A child that is refused everything, and does not lose what it writes at
// `data`, exits with 0.
void UseInForkedChild(Buffer* buffer, char* data) {
  alarm(30);
  std::memset(data, 'c', kTwoMiB);
  const bool refused =
      absl::IsFailedPrecondition(buffer->Seal()) &&
      absl::IsFailedPrecondition(buffer->MakeTicket().status()) &&
      buffer->valid();
  std::memset(data, 'd', kTwoMiB);
  _exit(refused ? 0 : 1);
}

TEST_F(BufferTest, AForkedChildCanNeitherSealItNorMakeATicketOfIt) {
  Buffer buffer = Lease();
  const pid_t child = fork();
  if (child == 0) {
    UseInForkedChild(&buffer, reinterpret_cast<char*>(buffer.data()));
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(buffer.data()[0], std::byte{'d'});
}

// Where children inherit nothing, the addresses are theirs to map.
TEST_F(BufferTest, AForkedChildKeepsWhatItMapsWhereItInheritedNothing) {
  absl::StatusOr<Client> client = Client::Connect(
      daemon_.target(), {.lease_cache_bytes = 0, .inherit_on_fork = false});
  ASSERT_THAT(client, IsOk());
  absl::StatusOr<Buffer> buffer = client->Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  for (const bool ends : {false, true}) {
    const pid_t child = fork();
    if (child == 0) {
      alarm(30);
      void* const hole = buffer->data();
      if (mmap(hole, kTwoMiB, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
               0) != hole) {
        _exit(2);
      }
      if (!ends) UseInForkedChild(&*buffer, static_cast<char*>(hole));
      std::memset(hole, 'c', kTwoMiB);
      if (!absl::IsFailedPrecondition(buffer->Release())) _exit(3);
      std::memset(hole, 'd', kTwoMiB);
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0) << ends;
  }
  EXPECT_EQ(releases_, 0);
  EXPECT_THAT(buffer->Release(), IsOk());
}

TEST_F(BufferTest, OptionsReachTheDaemon) {
  v1::LeaseRequest lease;
  daemon_.on_lease = [&](const v1::LeaseRequest& request,
                         v1::LeaseResponse* response) {
    lease = request;
    *response->mutable_lease() = granted_;
    return grpc::Status::OK;
  };
  v1::AttachRequest attach;
  daemon_.on_attach = [&](const v1::AttachRequest& request,
                          v1::AttachResponse* response) {
    attach = request;
    *response->mutable_lease() = granted_;
    return grpc::Status::OK;
  };
  Client client = Connect();
  EXPECT_THAT(client.Lease(12345), IsOk());
  EXPECT_EQ(lease.size_bytes(), 12345u);
  EXPECT_FALSE(lease.has_name());
  EXPECT_FALSE(lease.has_ttl());
  EXPECT_FALSE(lease.require_zeroed());
  EXPECT_THAT(
      client.Lease(
          1, {.name = "frames/0", .ttl = absl::ZeroDuration(), .zeroed = true}),
      IsOk());
  EXPECT_EQ(lease.name(), "frames/0");
  EXPECT_TRUE(lease.has_ttl());
  EXPECT_EQ(lease.ttl().seconds(), 0);
  EXPECT_TRUE(lease.require_zeroed());
  EXPECT_THAT(client.Attach("frames/0"), IsOk());
  EXPECT_EQ(attach.name(), "frames/0");
  EXPECT_EQ(attach.access(), v1::ACCESS_READ_ONLY);
  EXPECT_FALSE(attach.has_ttl());
  EXPECT_THAT(
      client.Attach("frames/0", {.ttl = absl::Seconds(5), .writable = true}),
      IsOk());
  EXPECT_EQ(attach.access(), v1::ACCESS_SHARED_WRITABLE);
  EXPECT_EQ(attach.ttl().seconds(), 5);
}

TEST_F(BufferTest, OneThatTheLeaseCacheKeptIsWarmAndAsLargeAsAskedFor) {
  granted_.set_warmth(v1::WARMTH_FRESH);
  granted_.set_zeroed(true);
  {
    absl::StatusOr<Client> client = Client::Connect(daemon_.target());
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<Buffer> first = client->Lease(kTwoMiB);
    ASSERT_THAT(first, IsOk());
    EXPECT_EQ(first->warmth(), BufferWarmth::kFresh);
    EXPECT_TRUE(first->zeroed());
    std::byte* const data = first->data();
    EXPECT_THAT(first->Release(), IsOk());
    EXPECT_FALSE(first->valid());
    absl::StatusOr<Buffer> again = client->Lease(kTwoMiB - 5);
    ASSERT_THAT(again, IsOk());
    EXPECT_EQ(again->data(), data);
    EXPECT_EQ(again->size(), kTwoMiB - 5);
    EXPECT_EQ(again->mapped_size(), kTwoMiB);
    EXPECT_EQ(again->warmth(), BufferWarmth::kWarm);
    EXPECT_FALSE(again->zeroed());
    EXPECT_EQ(again->lease_id(), granted_.lease_id());
    EXPECT_EQ(client->lease_cache_stats().hits, 1u);
    EXPECT_EQ(client->lease_cache_stats().misses, 1u);
    *again = Buffer();
    EXPECT_EQ(client->lease_cache_stats().idle_bytes, kTwoMiB);
    EXPECT_EQ(releases_, 0);
  }
  EXPECT_EQ(releases_, 1) << "with its client";
}

TEST_F(BufferTest, OneWhoseNameWasAskedForIsReleasedToTheDaemon) {
  absl::StatusOr<Client> client = Client::Connect(daemon_.target());
  ASSERT_THAT(client, IsOk());
  absl::StatusOr<Buffer> buffer = client->Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  EXPECT_EQ(buffer->name(), granted_.buffer_name());
  EXPECT_THAT(buffer->Release(), IsOk());
  EXPECT_EQ(releases_, 1);
  EXPECT_EQ(client->lease_cache_stats().idle_leases, 0u);
}

TEST_F(BufferTest, RequestsThatNotAnyBufferServesGoToTheDaemon) {
  int leases = 0;
  daemon_.on_lease = [&](const auto&, v1::LeaseResponse* response) {
    // Each has a segment of its own.
    granted_ = daemon_.MakeLease(kTwoMiB);
    *response->mutable_lease() = granted_;
    ++leases;
    return grpc::Status::OK;
  };
  daemon_.on_release = [](const auto&, v1::ReleaseResponse* response) {
    response->add_results();
    return grpc::Status::OK;
  };
  absl::StatusOr<Client> client = Client::Connect(daemon_.target());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(client->Lease(kTwoMiB), IsOk());
  EXPECT_EQ(client->lease_cache_stats().idle_leases, 1u);
  EXPECT_THAT(client->Lease(kTwoMiB, {.name = "n"}), IsOk());
  EXPECT_THAT(client->Lease(kTwoMiB, {.ttl = absl::ZeroDuration()}), IsOk());
  EXPECT_THAT(client->Lease(kTwoMiB, {.zeroed = true}), IsOk());
  EXPECT_EQ(leases, 4);
  EXPECT_EQ(client->lease_cache_stats().idle_leases, 1u) << "nor are they kept";
  EXPECT_THAT(client->Lease(kTwoMiB), IsOk());
  EXPECT_EQ(leases, 4);
}

TEST_F(BufferTest, AForkedChildHasNothingOfTheLeaseCache) {
  absl::StatusOr<Client> client = Client::Connect(daemon_.target());
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(client->Lease(kTwoMiB), IsOk());
  absl::StatusOr<Buffer> held = client->Lease(kTwoMiB);
  ASSERT_THAT(held, IsOk());
  EXPECT_THAT(held->Release(), IsOk());
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool refused =
        absl::IsFailedPrecondition(client->Lease(kTwoMiB).status());
    { const Client inherited = *std::move(client); }
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(client->lease_cache_stats().idle_leases, 1u);
  EXPECT_EQ(releases_, 0);
}

TEST_F(BufferTest, ListsAreAskedForPageByPage) {
  daemon_.on_list_buffers = [](const v1::ListBuffersRequest& request,
                               v1::ListBuffersResponse* response) {
    EXPECT_EQ(request.name_prefix(), "frames/");
    const int page =
        request.page_token().empty() ? 0 : std::stoi(request.page_token());
    // Nothing that was looked at for the one in between passed the filter.
    if (page != 1) {
      response->add_buffers()->set_name("frames/" + std::to_string(page));
    }
    if (page < 3) response->set_next_page_token(std::to_string(page + 1));
    return grpc::Status::OK;
  };
  v1::ListBuffersRequest filter;
  filter.set_name_prefix("frames/");
  filter.set_page_token("ignored");
  const absl::StatusOr<std::vector<v1::Buffer>> buffers =
      AdminCalls::Open(daemon_.target()).value()->ListBuffers(filter);
  ASSERT_THAT(buffers, IsOk());
  ASSERT_EQ(buffers->size(), 3u);
  EXPECT_EQ(buffers->back().name(), "frames/3");
}

}  // namespace
}  // namespace warmpool
