// Listener: the daemon's Unix socket. It accepts connections itself, because
// gRPC's own listener hides who connected and stops for good after one EMFILE
// (gRPC 1.51). It makes the socket's file again where that was removed.
#ifndef WARMPOOL_SERVER_TRANSPORT_LISTENER_H_
#define WARMPOOL_SERVER_TRANSPORT_LISTENER_H_

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/thread.h"
#include "core/base/unique_fd.h"
#include "server/clients/descriptor_numbers.h"
#include "server/transport/bound_socket.h"

namespace warmpool {

class Listener {
 public:
  // Called for each connection on the listener's thread; owns the descriptor,
  // which is non-blocking.
  using OnConnection = std::function<void(UniqueFd connection)>;

  // `access` is for the socket's file, should it have to be made again.
  static absl::StatusOr<std::unique_ptr<Listener>> Listen(
      std::unique_ptr<BoundSocket> socket, const SocketAccess& access);

  // Stops and removes the socket file.
  ~Listener();

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none.
  absl::Status Prepare() { return acceptor_.Prepare("wpd-accept"); }
  // Accepts connections from here on. Errors as of Prepare.
  absl::Status Start(OnConnection on_connection);
  // Returns once no further connection will be accepted.
  void Stop();

 private:
  Listener(std::unique_ptr<BoundSocket> socket, const SocketAccess& access,
           UniqueFd stop_fd);

  void AcceptMain();
  // Accepts one connection; false after an error that needs a pause.
  bool AcceptOne(int socket);
  // Makes the socket's file again if somebody has removed it, as a start would.
  void KeepName();
  // A duplicate of a connection's descriptor with a number that calls of other
  // connections can't be taken for; invalid when there is none to be had.
  UniqueFd Numbered(const UniqueFd& accepted);
  // Tells of trouble, and only once for as long as it lasts.
  void LogOnce(const char* what);

  const SocketAccess access_;
  const UniqueFd stop_fd_;
  const Clock& clock_;
  OnConnection on_connection_;
  DescriptorNumbers numbers_;
  bool complained_ = false;
  std::unique_ptr<BoundSocket> socket_;
  // The one that had the name before, until the next look at it.
  std::unique_ptr<BoundSocket> before_;
  // The name is gone, and was told to be.
  bool unnamed_ = false;
  // What had the name when it could not be taken back.
  std::optional<BoundSocket::File> in_the_way_;
  Thread acceptor_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_LISTENER_H_
