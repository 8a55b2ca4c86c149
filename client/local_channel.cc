#include "client/local_channel.h"

#include <errno.h>
#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

// Connecting to a local socket that nobody serves costs microseconds, so a
// daemon that comes back is looked for as often as gRPC does. (By default: from
// 1 s to 2 min.)
constexpr int kReconnectMs = 100;

// gRPC takes a target for a URI and decodes its path.
std::string PercentEncode(absl::string_view path) {
  std::string encoded;
  for (const char c : path) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
        absl::string_view("/._-~").find(c) != absl::string_view::npos) {
      encoded.push_back(c);
    } else {
      absl::StrAppendFormat(&encoded, "%%%02X", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeLocalChannel(
    const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  // Channels with equal arguments would share one connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  // Connection repeats calls itself: only it knows which may be repeated.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  // No pings to measure a network that is not there.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel(
      absl::StrCat("unix:", PercentEncode(socket_path)),
      grpc::InsecureChannelCredentials(), arguments);
}

std::string DescribeSocket(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  // Not blocking: the daemon's queue of connections may be full.
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int connected =
      fd < 0 ? -1
             : connect(fd, reinterpret_cast<const sockaddr*>(&address),
                       sizeof(address));
  const int error = connected == 0 ? 0 : errno;
  if (fd >= 0) close(fd);
  switch (error) {
    case 0:
      return absl::StrCat(socket_path, " accepts connections, but nobody ",
                          "serves this process (uid ", geteuid(), ") there");
    case ENOENT:
      return absl::StrCat(socket_path, " does not exist");
    case ECONNREFUSED:
      return absl::StrCat("nobody listens on ", socket_path);
    case EACCES:
      return absl::StrCat("uid ", geteuid(), " may not connect to ",
                          socket_path);
    default:
      return absl::StrCat(socket_path, ": ", std::strerror(error));
  }
}

SocketIdentity IdentityOfSocket(const std::string& socket_path) {
  struct stat found;
  if (stat(socket_path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino,
          absl::ToUnixNanos(absl::TimeFromTimespec(found.st_ctim))};
}

gpr_timespec GrpcDeadline(absl::Duration left) {
  if (left == absl::InfiniteDuration()) {
    return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  }
  return gpr_time_from_nanos(absl::ToInt64Nanoseconds(left), GPR_TIMESPAN);
}

}  // namespace warmpool
