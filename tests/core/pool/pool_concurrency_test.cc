// Many threads on one Pool: no segment is ever two leases' at once, and in the
// end nothing is left. Most telling under ThreadSanitizer.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

class PoolConcurrencyTest : public PoolFixture {
 protected:
  static constexpr int kClients = 4;
  static constexpr int kRounds = 300;

  // A client process, as one thread.
  void RunClient(HolderId id, uid_t uid) {
    std::mt19937_64 random(id);
    pool_->AddHolder({id, static_cast<pid_t>(id), uid, "client", false});
    std::vector<LeaseGrant> grants;
    for (int round = 0; round < kRounds; ++round) {
      LeaseRequest request;
      request.request_id = ids_.Next();
      request.bytes = 1 + random() % (256 * kKiB);
      if (random() % 4 == 0) {
        request.name = "shared" + std::to_string(random() % 3);
      }
      const absl::StatusOr<LeaseGrant> grant = pool_->Lease(id, request);
      if (grant.ok()) {
        WriteAndRead(*grant);
        grants.push_back(*grant);
      } else {
        EXPECT_TRUE(absl::IsAlreadyExists(grant.status()) ||
                    absl::IsResourceExhausted(grant.status()))
            << grant.status();
      }
      AttachRequest attach;
      attach.request_id = ids_.Next();
      attach.name = "shared" + std::to_string(random() % 3);
      attach.access = Access::kSharedWritable;
      const absl::StatusOr<LeaseGrant> attached = pool_->Attach(id, attach);
      if (attached.ok()) grants.push_back(*attached);
      while (grants.size() > random() % 4) ReleaseOne(id, random, grants);
    }
    // Half of them die without releasing.
    while (id % 2 == 0 && !grants.empty()) ReleaseOne(id, random, grants);
    pool_->RemoveHolder(id);
  }

  void ReleaseOne(HolderId id, std::mt19937_64& random,
                  std::vector<LeaseGrant>& grants) {
    std::swap(grants[random() % grants.size()], grants.back());
    const LeaseRef ref{grants.back().id, grants.back().generation};
    grants.pop_back();
    EXPECT_THAT(pool_->Release(id, {&ref, 1}, false)[0], IsOk());
  }

  // Nobody else writes where this lease is.
  static void WriteAndRead(const LeaseGrant& grant) {
    const int fd = open(grant.path.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    for (int i = 0; i < 3; ++i) {
      const uint64_t mark = grant.generation * 10 + i;
      ASSERT_EQ(pwrite(fd, &mark, sizeof(mark), 0), ssize_t{sizeof(mark)});
      std::this_thread::yield();
      uint64_t read = 0;
      ASSERT_EQ(pread(fd, &read, sizeof(read), 0), ssize_t{sizeof(read)});
      EXPECT_EQ(read, mark);
    }
    close(fd);
  }

  void Run(Pool::Options options) {
    options.segments.bigcache.slots = 2;
    options.segments.batch.threshold_bytes = 512 * kKiB;
    options.segments.batch.max_age = absl::Milliseconds(50);
    options.default_ttl = absl::ZeroDuration();
    std::atomic<uint64_t> pokes = 0;
    options.segments.on_due_earlier = [&pokes] { ++pokes; };
    Make(options);

    std::atomic<bool> stop = false;
    // What the daemon has besides: maintenance, metrics.
    std::thread maintenance([&] {
      while (!stop) {
        clock_.Advance(absl::Milliseconds(1));
        pool_->Tick();
        std::this_thread::yield();
      }
    });
    std::thread observer([&] {
      while (!stop) {
        pool_->CheckInvariants();
        const SegmentPool::Stats stats = pool_->stats().segments;
        EXPECT_LE(stats.ledger.used(), options.segments.capacity_bytes);
        (void)pool_->ListAll();
        std::this_thread::yield();
      }
    });
    std::vector<std::thread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([this, i] { RunClient(100 + i, 1000 + i / 2); });
    }
    for (std::thread& client : clients) client.join();
    stop = true;
    maintenance.join();
    observer.join();

    EXPECT_GT(pokes, 0u);
    TickAfter(absl::Seconds(1));
    pool_->Drain();
    pool_->CheckInvariants();
    const Pool::Stats stats = pool_->stats();
    EXPECT_EQ(stats.live_leases, 0u);
    EXPECT_EQ(stats.live_buffers, 0u);
    EXPECT_EQ(stats.segments.ledger.used(), 0u);
    EXPECT_EQ(stats.segments.quarantined_segments, 0u);
    EXPECT_GT(stats.segments.acquired.warm, 0u);
    EXPECT_GT(stats.granted_attached, 0u);
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  }

  SeededRandom ids_{7};
};

TEST_F(PoolConcurrencyTest, ManyClientsWithADrainerThread) { Run({}); }

TEST_F(PoolConcurrencyTest, ManyClientsWithBatchesEndedInline) {
  Run(InlineOptions());
}

TEST_F(PoolConcurrencyTest, ManyClientsWithHardlyAnyRoom) {
  Pool::Options options;
  options.segments.capacity_bytes = 2 * kMiB;
  Run(options);
}

TEST_F(PoolConcurrencyTest, OneRequestIdFromManyThreadsIsOneLease) {
  Make({});
  for (int round = 0; round < 50; ++round) {
    const LeaseRequest request = Request(64 * kKiB);
    std::vector<std::thread> threads;
    std::atomic<int> granted = 0;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&] {
        const absl::StatusOr<LeaseGrant> grant = pool_->Lease(kAlice, request);
        if (grant.ok()) {
          ++granted;
        } else {
          EXPECT_TRUE(absl::IsAborted(grant.status())) << grant.status();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GE(granted, 1);
    EXPECT_EQ(pool_->stats().live_leases, round + 1u);
  }
}

TEST_F(PoolConcurrencyTest, DrainingMeetsLeasesUnderWay) {
  for (int round = 0; round < 20; ++round) {
    Make({});
    std::vector<std::thread> threads;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&] {
        for (int j = 0; j < 20; ++j) {
          LeaseRequest request;
          request.request_id = ids_.Next();
          request.bytes = 64 * kKiB;
          const absl::StatusOr<LeaseGrant> grant =
              pool_->Lease(kAlice, request);
          if (!grant.ok()) {
            EXPECT_TRUE(absl::IsUnavailable(grant.status())) << grant.status();
          }
        }
      });
    }
    pool_->Drain();
    for (std::thread& thread : threads) thread.join();
    pool_->RevokeAll();
    pool_.reset();
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  }
}

}  // namespace
}  // namespace warmpool
