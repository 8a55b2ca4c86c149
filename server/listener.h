// Listener: the daemon's Unix socket. It accepts connections itself, because
// gRPC's own listener hides who connected and stops for good after one EMFILE
// (gRPC 1.51).
#ifndef WARMPOOL_SERVER_LISTENER_H_
#define WARMPOOL_SERVER_LISTENER_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/thread.h"
#include "server/descriptor_numbers.h"
#include "server/unique_fd.h"

namespace warmpool {

class Listener {
 public:
  // Called for each connection on the listener's thread; owns the descriptor,
  // which is non-blocking.
  using OnConnection = std::function<void(UniqueFd connection)>;

  // Binds and listens on `path`; `mode` of its file says who may connect. A
  // socket file that nobody listens on is replaced. The directory is made where
  // it is missing, see PrepareSocketDirectory. ALREADY_EXISTS: somebody listens
  // there. Other errors name the path.
  static absl::StatusOr<std::unique_ptr<Listener>> Bind(
      const std::string& path, mode_t mode = 0600);

  // Stops and removes the socket file.
  ~Listener();

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none.
  absl::Status Prepare() { return acceptor_.Prepare("wpd-accept"); }
  // Accepts connections from here on. Errors as of Prepare.
  absl::Status Start(OnConnection on_connection);
  // Returns once no further connection will be accepted.
  void Stop();

  const std::string& path() const { return path_; }

 private:
  Listener(std::string path, UniqueFd socket, UniqueFd stop_fd);

  void AcceptMain();
  // Accepts one connection; false after an error that needs a pause.
  bool AcceptOne();
  // A duplicate of a connection's descriptor with a number that calls of other
  // connections can't be taken for; invalid when there is none to be had.
  UniqueFd Numbered(const UniqueFd& accepted);
  // Tells of trouble, and only once for as long as it lasts.
  void Complain(const char* what);

  const std::string path_;
  const UniqueFd socket_;
  const UniqueFd stop_fd_;
  OnConnection on_connection_;
  DescriptorNumbers numbers_;
  bool complained_ = false;
  Thread acceptor_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LISTENER_H_
