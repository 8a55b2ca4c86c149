// The queue's turns, and its end: calls that are under way are served to
// theirs.
#include "server/scheduling/serving_queue.h"

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "gtest/gtest.h"
#include "tests/server/packed_call.h"

namespace warmpool {
namespace {

constexpr uid_t kBusy = 1;
constexpr uid_t kOther = 2;

// A call of many steps, each of which asks gRPC for the next. Deletes itself.
class LongCall final : public ServingQueue::Event {
 public:
  LongCall(ServingQueue* queue, int steps, std::atomic<int>* taken)
      : hold_(queue), queue_(*queue), left_(steps), taken_(*taken) {
    Next();
  }

  uid_t uid() const override { return kBusy; }
  void OnEvent(bool ok) override {
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

// The same without end, and slow: there is always one that waits.
class EndlessCall final : public ServingQueue::Event {
 public:
  EndlessCall(ServingQueue* queue, const std::atomic<bool>* over,
              std::atomic<int>* taken)
      : hold_(queue), queue_(*queue), over_(*over), taken_(*taken) {
    Next();
  }

  uid_t uid() const override { return kBusy; }
  void OnEvent(bool) override {
    ++taken_;
    const absl::Time begun = absl::Now();
    while (absl::Now() - begun < absl::Microseconds(100)) {
    }
    if (!over_) return Next();
    delete this;
  }

 private:
  void Next() {
    alarm_.Set(queue_.queue(), gpr_time_0(GPR_CLOCK_MONOTONIC), this);
  }

  const ServingQueue::Hold hold_;
  ServingQueue& queue_;
  const std::atomic<bool>& over_;
  std::atomic<int>& taken_;
  grpc::Alarm alarm_;
};

// Waits for one call, of any method, and refuses it.
class AwaitedCall final : public ServingQueue::Event {
 public:
  AwaitedCall(grpc::AsyncGenericService* service, ServingQueue* queue,
              const std::atomic<int>* taken)
      : hold_(queue), taken_(*taken) {
    service->RequestCall(&context_, &stream_, queue->queue(), queue->queue(),
                         this);
  }

  void OnArrival(bool ok) override {
    if (ok && taken_at_arrival_ < 0) taken_at_arrival_ = taken_.load();
  }
  uid_t uid() const override { return kOther; }
  void OnEvent(bool ok) override {
    if (taken_at_turn_ < 0 && ok) {
      taken_at_turn_ = taken_.load();
      stream_.Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""), this);
      return;
    }
    done_ = true;
  }

  bool done() const { return done_; }
  // What the busy uid was served between the arrival of the call and its turn.
  int waited_for() const { return taken_at_turn_ - taken_at_arrival_; }

 private:
  const ServingQueue::Hold hold_;
  const std::atomic<int>& taken_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  int taken_at_arrival_ = -1;
  std::atomic<int> taken_at_turn_ = -1;
  std::atomic<bool> done_ = false;
};

// As AwaitedCall, but there is always one more, and the caller is told by the
// method.
class ManyCalls final : public ServingQueue::Event {
 public:
  ManyCalls(grpc::AsyncGenericService* service, ServingQueue* queue)
      : hold_(queue), service_(*service), queue_(*queue) {
    service->RequestCall(&context_, &stream_, queue->queue(), queue->queue(),
                         this);
  }

  void OnArrival(bool ok) override {
    if (!ok || has_come_) return;
    has_come_ = true;
    queue_.RequestNext([this] { new ManyCalls(&service_, &queue_); });
  }
  uid_t uid() const override {
    return context_.method() == "/of/Other" ? kOther : kBusy;
  }
  void OnEvent(bool ok) override {
    if (has_come_ && ok && !is_answered_) {
      is_answered_ = true;
      stream_.Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""), this);
      return;
    }
    delete this;
  }

 private:
  const ServingQueue::Hold hold_;
  grpc::AsyncGenericService& service_;
  ServingQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool has_come_ = false;
  bool is_answered_ = false;
};

class ServingQueueTest : public ::testing::Test {
 protected:
  ServingQueueTest() {
    builder_.RegisterAsyncGenericService(&service_);
    builder_.AddListeningPort(target_, grpc::InsecureServerCredentials());
    completions_ = builder_.AddCompletionQueue();
    server_ = builder_.BuildAndStart();
    queue_ = std::make_unique<ServingQueue>(
        std::move(completions_), absl::ZeroDuration(), &MonotonicClock::Get());
  }

  const std::string target_ =
      absl::StrCat("unix-abstract:serving_queue_test.", getpid());
  grpc::AsyncGenericService service_;
  grpc::ServerBuilder builder_;
  std::unique_ptr<grpc::ServerCompletionQueue> completions_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ServingQueue> queue_;
};

TEST_F(ServingQueueTest, StopsOnceAllCallsHaveEnded) {
  ASSERT_TRUE(queue_->Start().ok());
  std::atomic<int> taken = 0;
  constexpr int kCalls = 4;
  constexpr int kSteps = 500;
  for (int i = 0; i < kCalls; ++i) {
    new LongCall(queue_.get(), kSteps, &taken);
  }
  server_->Shutdown();
  queue_->Stop();
  EXPECT_EQ(taken, kCalls * kSteps);
}

TEST_F(ServingQueueTest, OneThatNeverServedStopsToo) {
  server_->Shutdown();
  queue_->Stop();
}

// gRPC by itself reads no socket for as long as its queue has events.
TEST_F(ServingQueueTest, ACallIsServedWhileAnotherUidHasEventsWithoutEnd) {
  ASSERT_TRUE(queue_->Start().ok());
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  auto awaited = std::make_unique<AwaitedCall>(&service_, queue_.get(), &taken);
  constexpr int kCalls = 100;
  for (int i = 0; i < kCalls; ++i) {
    new EndlessCall(queue_.get(), &over, &taken);
  }
  const grpc::Status status = testing::CallPacked(
      grpc::CreateChannel(target_, grpc::InsecureChannelCredentials()),
      "/any/Method", "");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  over = true;
  // Cancels the call, if it has not come.
  server_->Shutdown();
  while (!awaited->done()) std::this_thread::yield();
  // A slice of those that were being served at most.
  EXPECT_LT(awaited->waited_for(), kCalls / 2);
  awaited.reset();
  queue_->Stop();
}

// Calls that gRPC has read wait in a line that all uids share.
TEST_F(ServingQueueTest, ManyNewCallsAreLetInTogether) {
  ASSERT_TRUE(queue_->Start().ok());
  std::atomic<int> taken = 0;
  std::atomic<bool> over = false;
  new ManyCalls(&service_, queue_.get());
  for (int i = 0; i < 100; ++i) new EndlessCall(queue_.get(), &over, &taken);
  constexpr int kCalls = 400;
  const auto channel =
      grpc::CreateChannel(target_, grpc::InsecureChannelCredentials());
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue answers;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::GenericClientAsyncResponseReader>> calls;
  std::vector<grpc::ByteBuffer> responses(kCalls);
  std::vector<grpc::Status> statuses(kCalls);
  const grpc::Slice nothing;
  for (size_t i = 0; i < kCalls; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    contexts.back()->set_deadline(
        absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    calls.push_back(stub.PrepareUnaryCall(contexts.back().get(), "/of/Busy",
                                          grpc::ByteBuffer(&nothing, 1),
                                          &answers));
    calls.back()->StartCall();
    calls.back()->Finish(&responses[i], &statuses[i], this);
  }
  const int before = taken;
  EXPECT_EQ(testing::CallPacked(channel, "/of/Other", "").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  // Not one in each round, in which at least one of the others is served.
  EXPECT_LT(taken - before, kCalls / 2);
  over = true;
  server_->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  for (int i = 0; i < kCalls; ++i) EXPECT_TRUE(answers.Next(&tag, &ok));
  answers.Shutdown();
  EXPECT_FALSE(answers.Next(&tag, &ok));
  queue_->Stop();
}

}  // namespace
}  // namespace warmpool
