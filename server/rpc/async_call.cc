#include "server/rpc/async_call.h"

#include "absl/status/statusor.h"

namespace warmpool {

void AsyncCall::Arrive() {
  // While the call is young its connection is sure to be there.
  const absl::StatusOr<Caller> caller = deps_.holders->Resolve(context_.peer());
  absl::Status admitted = caller.status();
  if (admitted.ok()) {
    admitted = charge_.Take(deps_.accounts, caller->uid,
                            UidAccounts::Resource::kCalls);
  }
  if (admitted.ok()) caller_ = *caller;
  // This call is there until a later event ends it.
  deps_.queue->RequestNext([this] { AwaitNext(); });
  if (admitted.ok()) return;
  refused_ = true;
  OnBegun(admitted);
}

void AsyncCall::Begun::OnEvent(bool ok) {
  // The server shuts down, and gRPC was asked for nothing else.
  if (!ok) {
    delete &call_;
    return;
  }
  if (!call_.refused_) call_.OnBegun(absl::OkStatus());
}

}  // namespace warmpool
