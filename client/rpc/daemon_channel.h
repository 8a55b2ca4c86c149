// DaemonChannel: makes calls to the daemon with a deadline, as RPCs of their
// own or over one Session, repeats those that lost the connection, over the
// next one, and says in absl::Status what became of them.
//
// Thread-safe. In a process forked from the one that opened it, CheckProcess
// fails, and Call returns its error without touching gRPC, whose threads were
// not forked.
#ifndef WARMPOOL_CLIENT_RPC_DAEMON_CHANNEL_H_
#define WARMPOOL_CLIENT_RPC_DAEMON_CHANNEL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>
#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/rpc/daemon_connector.h"
#include "client/rpc/daemon_link.h"
#include "client/rpc/fork_guard.h"
#include "client/rpc/local_socket.h"
#include "client/rpc/session_stream.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"

namespace warmpool {

class DaemonChannel {
 public:
  using Stub = DaemonLink::Stub;
  template <typename Request, typename Response>
  using Rpc = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&,
                                     Response*);

  // How much a call does for its answer.
  struct Effort {
    // From the call to its answer, all tries together.
    absl::Duration deadline;
    // Waits for a daemon that is not there (starting, restarting).
    bool wait_for_daemon = true;
    // Tries again, as often as kMaxTries, if the connection is lost; and until
    // the deadline with a daemon that drains, for the next may come in time.
    bool repeat = true;

    // Set by the call:
    bool repeated = false;
    // The connection was lost in one try or more.
    bool lost = false;
    // The daemon has answered, be it with an error. Otherwise it may do yet
    // what it was asked to.
    bool answered = false;
  };

  // A daemon that is lost so often over one call may be dying of that call.
  static constexpr int kMaxTries = 5;

  // The absolute path of the socket of `target`. To be called before gRPC is
  // used: RESOURCE_EXHAUSTED, naming the limit: it would get too few threads.
  // INVALID_ARGUMENT: `target` is not "unix:PATH" or "unix:///PATH".
  // PERMISSION_DENIED: this process may not reach the socket.
  // FAILED_PRECONDITION: PATH is relative to a directory that was removed.
  static absl::StatusOr<std::string> CheckTarget(const std::string& target);

  // `socket_path` is that of `target`, which messages name.
  DaemonChannel(const std::string& target, const std::string& socket_path,
                SessionStream::Options session = {},
                const TrustedPeers& trusted = {});

  // UNAVAILABLE: nobody answered in time; the message tells what is there.
  // PERMISSION_DENIED: who is there is not trusted. RESOURCE_EXHAUSTED: this
  // process has no thread or descriptor left.
  absl::Status WaitForDaemon(absl::Duration deadline);

  // One try of a call.
  struct Try {
    // By the monotonic clock.
    absl::Time deadline;
    Stub* stub;
  };

  // Tries `call` until it has an answer. UNAVAILABLE: there is none (the
  // message tells the target and what is there), or the daemon says so
  // (draining); DEADLINE_EXCEEDED: the daemon is there but silent.
  // RESOURCE_EXHAUSTED without an answer: this process has no thread or
  // descriptor left for a connection, and the daemon was sent nothing. It is
  // UNAVAILABLE after a try that was sent, and for a call that does not wait.
  absl::Status Call(Effort* effort,
                    absl::FunctionRef<grpc::Status(const Try&)> call);

  // The same for an RPC of the stub.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(Rpc<Request, Response> rpc,
                               const Request& request, Effort* effort) {
    Response response;
    const absl::Status status = Call(effort, [&](const Try& one) {
      grpc::ClientContext context;
      Prepare(one, &context);
      return (one.stub->*rpc)(&context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // The same for a request over the Session. OK: the daemon carried it out.
  absl::StatusOr<v1::SessionReply> AskInSession(
      const v1::SessionRequest& request, Effort* effort);

  // For what is sent in it without waiting for an answer.
  SessionStream& session() { return session_; }

  // Whether the connection is gone, or another socket has come to the path,
  // which only a daemon that started anew makes, since this was asked last or
  // the channel made. For a client that makes no calls. Cheap: one stat(2), and
  // no traffic.
  bool NoticeLoss();

  // What the status of one try tells.
  static bool ConnectionWasLost(const grpc::Status& status);
  // ABORTED: the try whose connection was lost is still under way in the
  // daemon. A daemon that drains: its successor may grant what it does not.
  static bool IsWorthRepeating(const grpc::Status& status);
  // The daemon was heard of.
  static bool CameFromTheDaemon(const grpc::Status& status);

  // The status of a call that was made without Call.
  absl::Status Explain(const grpc::Status& status, absl::Duration deadline);

  // Whether the last call that waited for the daemon had no answer, and none
  // was answered since.
  bool silent() const { return silent_; }

  // FAILED_PRECONDITION in a process forked from the one that made this.
  absl::Status CheckProcess() const;

  // For calls that are made without Call: a connection, which they keep while
  // they last, and tell of when they lost it. It waits for no daemon, but for
  // `patience` for one that is there to say something. UNAVAILABLE: there is
  // none, or this process has no thread or descriptor left.
  absl::StatusOr<std::shared_ptr<DaemonLink>> Link(absl::Duration patience);
  // The last one, be it lost.
  std::shared_ptr<DaemonLink> Current() const { return connector_.Current(); }
  void RecordLost(const std::shared_ptr<DaemonLink>& link) {
    connector_.RecordLost(link);
  }

  // The uid of the daemon. REQUIRES: there was one.
  uid_t daemon_uid() const { return connector_.peer().value(); }
  const std::string& target() const { return target_; }

 private:
  static void Prepare(const Try& one, grpc::ClientContext* context);
  // `cause` follows the target, blank included.
  absl::Status Unreachable(absl::string_view cause) const;

  const std::string target_;
  const std::string socket_path_;
  const pid_t made_by_;
  const ForkMark mark_;
  DaemonConnector connector_;
  SessionStream session_;

  std::atomic<bool> silent_ = false;

  Mutex mutex_;
  SocketIdentity socket_seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_DAEMON_CHANNEL_H_
