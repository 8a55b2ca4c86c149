// AsyncCall: what the calls of all RPCs have in common, from before a client
// makes one until gRPC is done with it. When a call comes, the daemon finds out
// whose it is, charges that uid, and makes another call that waits for the next
// client. The rest happens when it is the uid's turn
// (server/scheduling/serving_queue.h). A call that is refused does not wait for
// a turn: no limit bounds how many there are.
//
// A call deletes itself. Except where a method says otherwise, everything
// happens on the serving thread.
#ifndef WARMPOOL_SERVER_RPC_ASYNC_CALL_H_
#define WARMPOOL_SERVER_RPC_ASYNC_CALL_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include "absl/status/status.h"
#include "server/clients/holder_registry.h"
#include "server/clients/uid_accounts.h"
#include "server/scheduling/serving_queue.h"

namespace warmpool {

class AsyncCall {
 public:
  // What is pointed to must outlive all calls.
  struct Deps {
    ServingQueue* queue;
    HolderRegistry* holders;
    UidAccounts* accounts;
  };

  // Something that gRPC was asked for, which a method of `Owner` handles.
  template <typename Owner>
  class Step final : public ServingQueue::Event {
   public:
    using Method = void (Owner::*)(bool ok);

    // `owner` must outlive it.
    Step(Owner* owner, Method method) : owner_(*owner), method_(method) {}

    uid_t uid() const override { return owner_.caller().uid; }
    void OnEvent(bool ok) override { (owner_.*method_)(ok); }

   private:
    Owner& owner_;
    const Method method_;
  };

  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;

  // Once it has begun; the uid is ServingQueue::kNobody for one that is
  // refused.
  const Caller& caller() const { return caller_; }

 protected:
  explicit AsyncCall(const Deps& deps) : hold_(deps.queue), deps_(deps) {}
  virtual ~AsyncCall() = default;

  // Makes the call that waits for the next client.
  virtual void AwaitNext() = 0;
  // A client has made the call. `admitted`: why it is to be refused.
  virtual void OnBegun(const absl::Status& admitted) = 0;

  grpc::ServerCompletionQueue* queue() { return deps_.queue->queue(); }
  grpc::ServerContext& context() { return context_; }
  // The tag under which gRPC is asked for the call.
  ServingQueue::Event* begun() { return &begun_; }

 private:
  class Begun final : public ServingQueue::Event {
   public:
    explicit Begun(AsyncCall* call) : call_(*call) {}

    void OnArrival(bool ok) override {
      if (ok) call_.Arrive();
    }
    uid_t uid() const override { return call_.caller().uid; }
    void OnEvent(bool ok) override;

   private:
    AsyncCall& call_;
  };

  void Arrive();

  const ServingQueue::Hold hold_;
  const Deps deps_;
  grpc::ServerContext context_;
  Caller caller_{.uid = ServingQueue::kNobody};
  UidCharge charge_;
  bool refused_ = false;
  Begun begun_{this};
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_ASYNC_CALL_H_
