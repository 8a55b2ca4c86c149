// Attacks by bytes: connections that say nothing or nonsense, and messages that
// no library sends.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/random_id.h"
#include "tests/torture/hostile/attack_session.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using testing::RawClient;

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
// HTTP/2's first frame, empty.
constexpr absl::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);

// -1: the daemon's backlog is full, or this process has no descriptor.
int ConnectTo(absl::string_view target) {
  absl::ConsumePrefix(&target, "unix:");
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, target.data(), target.size());
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

std::string Garbage(Attacker* attacker) {
  std::string bytes(1 + attacker->Draw(4096), '\0');
  for (char& byte : bytes) byte = static_cast<char>(attacker->random()());
  return bytes;
}

// Something between silence and what gRPC would say.
std::string Opening(Attacker* attacker) {
  switch (attacker->Draw(6)) {
    case 0: return Garbage(attacker);
    case 1: return std::string(kPreface.substr(0, 1 + attacker->Draw(20)));
    case 2: return std::string(kPreface);
    case 3: return absl::StrCat(kPreface, kSettings);
    case 4: return absl::StrCat(kPreface, kSettings, Garbage(attacker));
    default: return std::string();
  }
}

v1::SessionRequest AttachWithUnknownFields(uint64_t tag) {
  constexpr size_t kUnknownBytes = 60 << 10;
  constexpr int kUnknownField = 1000;
  v1::SessionRequest request;
  request.set_tag(tag);
  v1::AttachRequest& attach = *request.mutable_attach();
  attach = RawClient::AttachOf(
      absl::StrCat("never-", KernelRandom::Get().Next().ToHex()));
  attach.mutable_wait()->set_seconds(3600);
  attach.GetReflection()->MutableUnknownFields(&attach)->AddLengthDelimited(
      kUnknownField, std::string(kUnknownBytes, 'x'));
  return request;
}

}  // namespace

void ConnectAndSayNothing(Attacker* attacker) {
  constexpr size_t kConnections = 200;
  while (!attacker->Over()) {
    std::vector<int> fds;
    for (size_t i = 0; i < kConnections; ++i) {
      const int fd = ConnectTo(attacker->options().target);
      attacker->Count(fd < 0 ? 1 : 0);
      if (fd < 0) continue;
      fds.push_back(fd);
      const std::string opening = Opening(attacker);
      (void)!send(fd, opening.data(), opening.size(), MSG_NOSIGNAL);
      // Half open: the daemon reads to the end, and may still write.
      if (attacker->Chance(20)) shutdown(fd, SHUT_WR);
    }
    absl::SleepFor(absl::Milliseconds(attacker->Draw(1000)));
    for (const int fd : fds) close(fd);
  }
}

void SendCompressed(Attacker* attacker) {
  grpc::ChannelArguments arguments;
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  RawClient client = attacker->Connect(arguments);
  while (!attacker->Over()) {
    v1::LeaseRequest request = RawClient::LeaseOf(4096);
    // Compressible, so that it is compressed.
    request.set_name(std::string(100, 'a'));
    attacker->Lease(&client, request);
    // A megabyte in a kilobyte or so.
    request.set_name(std::string(1 << 20, 'a'));
    attacker->Lease(&client, request);
  }
}

void SendUnknownFields(Attacker* attacker) {
  constexpr int kWaits = 500;
  RawClient client = attacker->Connect();
  AttackSession session(attacker, &client);
  for (int i = 1; i <= kWaits; ++i) {
    if (!session.Write(AttachWithUnknownFields(i))) break;
  }
  while (!attacker->Over()) absl::SleepFor(absl::Milliseconds(20));
}

}  // namespace warmpool::torture
