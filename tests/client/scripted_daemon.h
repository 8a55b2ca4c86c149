// ScriptedDaemon: answers the client library as a test says, on a socket of
// its own, and loses connections at a chosen moment.
#ifndef WARMPOOL_TESTS_CLIENT_SCRIPTED_DAEMON_H_
#define WARMPOOL_TESTS_CLIENT_SCRIPTED_DAEMON_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

// The handlers run on gRPC's threads, are set before the first call, and may
// be absent: such a call is UNIMPLEMENTED. They answer the calls of their names
// and what is asked in a Session, where each request has a thread of its own.
class ScriptedDaemon {
 public:
  template <typename Request, typename Response>
  using Handler = std::function<grpc::Status(const Request&, Response*)>;

  // A directory of its own, not listening yet. `socket_name` is a file in it.
  explicit ScriptedDaemon(const std::string& socket_name = "socket");
  ~ScriptedDaemon();

  // Makes the socket, then accepts connections on it.
  void Bind();
  void Listen();

  // Cuts the connection that was accepted last. In a handler: its caller gets
  // no answer.
  void LoseConnection();

  // Sends a notice to every open Session.
  void SendNotice(const v1::SessionResponse& notice);
  int sessions() const;

  std::string socket_path() const { return directory_ + "/" + socket_name_; }
  std::string target() const { return "unix:" + socket_path(); }
  const std::string& directory() const { return directory_; }
  int connections() const { return connections_; }

  // A segment file of `bytes` bytes, as a lease names it.
  v1::GrantedLease MakeLease(uint64_t bytes);

  Handler<v1::LeaseRequest, v1::LeaseResponse> on_lease;
  Handler<v1::AttachRequest, v1::AttachResponse> on_attach;
  // Also asked, without a use for the answer, for what a Session's requests
  // release beside.
  Handler<v1::ReleaseRequest, v1::ReleaseResponse> on_release;
  Handler<v1::RenewRequest, v1::RenewResponse> on_renew;
  Handler<v1::MakeTicketRequest, v1::MakeTicketResponse> on_make_ticket;
  Handler<v1::AssertRequest, v1::AssertResponse> on_assert;
  Handler<v1::ListBuffersRequest, v1::ListBuffersResponse> on_list_buffers;
  Handler<v1::GetStatsRequest, v1::GetStatsResponse> on_get_stats;
  Handler<v1::ShutdownRequest, v1::ShutdownResponse> on_shutdown;
  Handler<v1::LeaseManyRequest, v1::LeaseManyResponse> on_lease_many;
  std::function<void(const v1::IdleReport&)> on_idle;

 private:
  class Service;
  class Session;

  void AcceptMain();

  const std::string socket_name_;
  std::string directory_;
  const ScratchDirectory segments_;
  int listener_ = -1;
  std::atomic<int> last_accepted_ = -1;
  std::atomic<int> connections_ = 0;
  mutable Mutex mutex_;
  std::set<Session*> sessions_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::thread acceptor_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CLIENT_SCRIPTED_DAEMON_H_
