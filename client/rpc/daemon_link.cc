#include "client/rpc/daemon_link.h"

#include <grpcpp/client_context.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/rpc/local_channel.h"
#include "client/rpc/refusal.h"
#include "core/base/check.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/base/thread.h"

namespace warmpool {
namespace {

// 0: it is not open.
uint64_t InodeOf(int fd) {
  struct stat file;
  return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

// For a reason that the daemon gives at once.
constexpr absl::Duration kReasonWithin = absl::Milliseconds(100);

// Why the daemon there does not serve this process. On a connection that gRPC
// has not got: of one that it has, it has read the reason.
absl::Status WhyNotServed(const std::string& socket_path,
                          const TrustedPeers& trusted) {
  ASSIGN_OR_RETURN(const LocalSocket socket, ConnectTo(socket_path, trusted));
  const absl::Status refusal = AwaitRefusal(socket.fd, kReasonWithin);
  close(socket.fd);
  if (!refusal.ok()) {
    return absl::Status(
        refusal.code(),
        absl::StrCat("the daemon at ", socket_path, ": ", refusal.message()));
  }
  return absl::UnavailableError(absl::StrCat(
      socket_path, " accepts connections, but nothing answers there"));
}

// A request for nothing, which every daemon answers at once.
bool Answers(DaemonLink::Stub& stub, absl::Time until) {
  grpc::ClientContext context;
  context.set_deadline(GrpcDeadline(until - MonotonicClock::Get().Now()));
  v1::RenewResponse nothing;
  const grpc::StatusCode code =
      stub.Renew(&context, v1::RenewRequest(), &nothing).error_code();
  return code != grpc::StatusCode::UNAVAILABLE &&
         code != grpc::StatusCode::CANCELLED &&
         code != grpc::StatusCode::DEADLINE_EXCEEDED;
}

}  // namespace

absl::StatusOr<std::shared_ptr<DaemonLink>> DaemonLink::Connect(
    const std::string& socket_path, const TrustedPeers& trusted,
    absl::Time until) {
  ASSIGN_OR_RETURN(const LocalSocket socket, ConnectTo(socket_path, trusted));
  std::shared_ptr<DaemonLink> link;
  bool answers = false;
  const absl::Status called = RunOnThread("wp-connect", [&] {
    link.reset(new DaemonLink(socket_path, socket));
    answers = Answers(link->stub(), until);
  });
  if (!called.ok()) {
    close(socket.fd);
    return called;
  }
  if (answers) return link;
  return WhyNotServed(socket_path, trusted);
}

std::shared_ptr<DaemonLink> DaemonLink::MakeLost() {
  int ends[2];
  WARMPOOL_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
                            0, ends) == 0,
                 "no descriptors are left for a pair of sockets");
  close(ends[1]);
  return std::shared_ptr<DaemonLink>(
      new DaemonLink("none", {.fd = ends[0], .peer = geteuid()}));
}

DaemonLink::DaemonLink(const std::string& target, const LocalSocket& socket)
    : peer_(socket.peer),
      fd_(socket.fd),
      inode_(InodeOf(socket.fd)),
      stub_(v1::MemoryPool::NewStub(MakeLocalChannel(target, socket.fd))) {}

bool DaemonLink::alive() const {
  // Once gRPC has closed it, the number may be another file's.
  if (InodeOf(fd_) != inode_) return false;
  pollfd connection = {fd_, POLLRDHUP, 0};
  return poll(&connection, 1, 0) == 0;
}

}  // namespace warmpool
