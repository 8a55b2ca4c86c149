// The queue's end: calls that are under way are served to theirs.
#include "server/serving_queue.h"

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

// A call of many steps, each of which asks gRPC for the next. Deletes itself.
class LongCall final : public ServingQueue::Event {
 public:
  LongCall(ServingQueue* queue, int steps, std::atomic<int>* taken)
      : hold_(queue), queue_(*queue), left_(steps), taken_(*taken) {
    Next();
  }

  void Happened(bool ok) override {
    EXPECT_TRUE(ok);
    ++taken_;
    if (--left_ > 0) return Next();
    delete this;
  }

 private:
  void Next() {
    alarm_.Set(queue_.queue(), std::chrono::system_clock::now(), this);
  }

  const ServingQueue::Hold hold_;
  ServingQueue& queue_;
  int left_;
  std::atomic<int>& taken_;
  grpc::Alarm alarm_;
};

class ServingQueueTest : public testing::Test {
 protected:
  grpc::ServerBuilder builder_;
  std::unique_ptr<grpc::ServerCompletionQueue> completions_ =
      builder_.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server_ = builder_.BuildAndStart();
  ServingQueue queue_{std::move(completions_), absl::ZeroDuration(),
                      &MonotonicClock::Get()};
};

TEST_F(ServingQueueTest, StopsOnceAllCallsHaveEnded) {
  ASSERT_TRUE(queue_.Start().ok());
  std::atomic<int> taken = 0;
  constexpr int kCalls = 4;
  constexpr int kSteps = 500;
  for (int i = 0; i < kCalls; ++i) new LongCall(&queue_, kSteps, &taken);
  server_->Shutdown();
  queue_.Stop();
  EXPECT_EQ(taken, kCalls * kSteps);
}

TEST_F(ServingQueueTest, OneThatNeverServedStopsToo) {
  server_->Shutdown();
  queue_.Stop();
}

}  // namespace
}  // namespace warmpool
