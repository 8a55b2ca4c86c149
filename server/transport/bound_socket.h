// BoundSocket: a listening Unix socket and the file that is its name. The name
// can be taken away (rm, a cleaner of /tmp, a directory that is made anew), and
// then no client can connect any more.
//
// Not thread-safe.
#ifndef WARMPOOL_SERVER_TRANSPORT_BOUND_SOCKET_H_
#define WARMPOOL_SERVER_TRANSPORT_BOUND_SOCKET_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "server/clients/socket_access.h"

namespace warmpool {

class BoundSocket {
 public:
  // Binds and listens on `path`. A socket file that nobody listens on is
  // replaced. The directory is made where it is missing, see
  // PrepareSocketDirectory. ALREADY_EXISTS: somebody listens there, or what is
  // there is no socket. Other errors name the path.
  static absl::StatusOr<std::unique_ptr<BoundSocket>> Bind(
      const std::string& path, const SocketAccess& access);

  // A listening socket that another process made at `path`: its file is left as
  // it is. Who connects is told of this process from here on (SO_PEERCRED).
  static absl::StatusOr<std::unique_ptr<BoundSocket>> Adopt(
      UniqueFd fd, const std::string& path);

  // Removes the file, unless it was adopted or is another's by now.
  ~BoundSocket();

  // What has a name: device and inode.
  using File = std::pair<dev_t, ino_t>;
  // nullopt: nothing has that name.
  static std::optional<File> FileAt(const std::string& path);

  // Whether `path` leads to this socket.
  bool IsNamed() const;
  bool is_adopted() const { return adopted_; }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }

 private:
  BoundSocket(UniqueFd fd, const std::string& path, bool adopted);

  const UniqueFd fd_;
  const std::string path_;
  const bool adopted_;
  std::optional<File> file_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_BOUND_SOCKET_H_
