#include "server/async_call.h"

#include "absl/status/statusor.h"

namespace warmpool {

void AsyncCall::Arrive() {
  // While the call is young its connection is sure to be there.
  const absl::StatusOr<Caller> caller = deps_.holders->Resolve(context_.peer());
  admitted_ = caller.status();
  if (caller.ok()) {
    caller_ = *caller;
    admitted_ = charge_.Take(deps_.accounts, caller_.uid,
                             UidAccounts::Resource::kCalls);
  }
  // Not at once: if many calls are there already, the queue would never be empty.
  // The call is there until a later event ends it.
  deps_.queue->CallAfterArrivals([this] { AwaitNext(); });
}

void AsyncCall::Begun::OnEvent(bool ok) {
  if (ok) {
    call_.OnBegun(call_.admitted_);
  } else {
    // The server shuts down, and gRPC was asked for nothing else.
    delete &call_;
  }
}

}  // namespace warmpool
