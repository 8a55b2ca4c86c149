// A client of another uid for tests: uid_client TARGET UID [GID...]. It becomes
// the uid, then does what it is told, a line of input and a line of answer at a
// time. An answer begins with a number: the status code of the call, or errno.
//
//   stats                  code
//   refusals               code, size of the last one that GetStats tells, of
//   the
//                          one that WatchStats does, and how many are told
//   lease BYTES TTL NAME   code lease-id warmth path ("-": a name is made up)
//   attach NAME            code
//   read NAME WAIT OWNER   code, path and lease id; WAIT in seconds; OWNER's,
//                          or 0: its own
//   seal ID UID GID        code; 0: shared with none
//   chmod PATH             errno, or 0: it is writable
//   peek PATH              errno, or 0 and the first byte
//   release ID             code
//   revoke ID              code
//   renew ID               code
//   list                   code name,name,...
//   shutdown               code
//   loglevel               code
//   map PATH BYTES         errno; writes the first byte and stays mapped
//   session                code, when the session that it opens has ended
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/server/raw_client.h"

namespace warmpool::testing {
namespace {

using Stub = RawClient::Stub;

std::string Lease(RawClient& client, std::istream& words) {
  uint64_t bytes = 0;
  int64_t ttl = 0;
  std::string name;
  words >> bytes >> ttl >> name;
  v1::LeaseRequest request = RawClient::LeaseOf(bytes);
  request.mutable_ttl()->set_seconds(ttl);
  if (name != "-") request.set_name(name);
  v1::LeaseResponse response;
  const grpc::Status status = client.Lease(request, &response);
  const v1::GrantedLease& lease = response.lease();
  return absl::StrCat(status.error_code(), " ",
                      absl::BytesToHexString(lease.lease_id()), " ",
                      v1::Warmth_Name(lease.warmth()), " ", lease.path());
}

std::string Attach(RawClient& client, std::istream& words) {
  std::string name;
  words >> name;
  v1::AttachResponse response;
  const grpc::Status status =
      client.Call(&Stub::Attach, RawClient::AttachOf(name), &response);
  return absl::StrCat(status.error_code());
}

std::string Read(RawClient& client, std::istream& words) {
  std::string name;
  int64_t wait = 0;
  uint32_t owner = 0;
  words >> name >> wait >> owner;
  v1::AttachRequest request = RawClient::AttachOf(name);
  request.set_access(v1::ACCESS_READ_ONLY);
  request.mutable_wait()->set_seconds(wait);
  if (owner != 0) request.set_owner_uid(owner);
  v1::AttachResponse response;
  const grpc::Status status = client.Call(&Stub::Attach, request, &response);
  return absl::StrCat(status.error_code(), " ", response.lease().path(), " ",
                      absl::BytesToHexString(response.lease().lease_id()));
}

std::string Seal(RawClient& client, std::istream& words) {
  std::string id;
  uint32_t uid = 0;
  uint32_t gid = 0;
  words >> id >> uid >> gid;
  v1::SealRequest request;
  request.mutable_lease()->set_lease_id(absl::HexStringToBytes(id));
  if (uid != 0) request.add_share_with_uids(uid);
  if (gid != 0) request.add_share_with_gids(gid);
  v1::SealResponse response;
  return absl::StrCat(
      client.Call(&Stub::Seal, request, &response).error_code());
}

std::string Release(RawClient& client, std::istream& words, bool revoke) {
  std::string id;
  words >> id;
  v1::ReleaseRequest request;
  request.add_leases()->set_lease_id(absl::HexStringToBytes(id));
  request.set_revoke(revoke);
  return absl::StrCat(client.Release(request).code());
}

std::string Renew(RawClient& client, std::istream& words) {
  std::string id;
  words >> id;
  v1::RenewRequest request;
  request.add_renewals()->mutable_lease()->set_lease_id(
      absl::HexStringToBytes(id));
  v1::RenewResponse response;
  const grpc::Status status = client.Call(&Stub::Renew, request, &response);
  return absl::StrCat(status.ok() ? response.renewed(0).result().code()
                                  : static_cast<int>(status.error_code()));
}

std::string List(RawClient& client) {
  v1::ListBuffersResponse response;
  const grpc::Status status =
      client.Call(&Stub::ListBuffers, v1::ListBuffersRequest(), &response);
  std::string answer = absl::StrCat(status.error_code(), " ");
  for (const v1::Buffer& buffer : response.buffers()) {
    absl::StrAppend(&answer, buffer.name(), ",");
  }
  return answer;
}

// Not waiting for a daemon that would have us.
std::string Stats(RawClient& client) {
  grpc::ClientContext context;
  v1::GetStatsResponse response;
  return absl::StrCat(client.stub()
                          .GetStats(&context, v1::GetStatsRequest(), &response)
                          .error_code());
}

std::string Shutdown(RawClient& client) {
  v1::ShutdownResponse response;
  return absl::StrCat(
      client.Call(&Stub::Shutdown, v1::ShutdownRequest(), &response)
          .error_code());
}

std::string LogLevel(RawClient& client) {
  v1::SetLogLevelResponse response;
  return absl::StrCat(
      client.Call(&Stub::SetLogLevel, v1::SetLogLevelRequest(), &response)
          .error_code());
}

std::string Map(std::istream& words) {
  std::string path;
  size_t bytes = 0;
  words >> path >> bytes;
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return absl::StrCat(errno);
  void* const mapped =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return absl::StrCat(errno);
  *static_cast<char*>(mapped) = 'x';
  close(fd);
  return "0";
}

std::string Chmod(std::istream& words) {
  std::string path;
  words >> path;
  return absl::StrCat(chmod(path.c_str(), 0600) == 0 ? 0 : errno);
}

// The first byte, for who may read.
std::string Peek(std::istream& words) {
  std::string path;
  words >> path;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::StrCat(errno);
  char byte = 0;
  const bool read = pread(fd, &byte, 1, 0) == 1;
  close(fd);
  return read ? std::string("0 ") + byte : "short";
}

std::string Refusals(RawClient& client) {
  v1::GetStatsResponse stats;
  const grpc::Status status =
      client.Call(&Stub::GetStats, v1::GetStatsRequest(), &stats);
  grpc::ClientContext context;
  const auto watch =
      client.stub().WatchStats(&context, v1::WatchStatsRequest());
  v1::GetStatsResponse watched;
  watch->Read(&watched);
  context.TryCancel();
  (void)watch->Finish();
  return absl::StrCat(
      status.error_code(), " ", stats.last_refusal().size_bytes(), " ",
      watched.last_refusal().size_bytes(), " ", stats.refusals_size());
}

std::string Session(RawClient& client) {
  grpc::ClientContext context;
  const auto session = client.stub().Session(&context);
  for (v1::SessionResponse response; session->Read(&response);) {
  }
  return absl::StrCat(session->Finish().error_code());
}

std::string Answer(RawClient& client, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  if (command == "stats") return Stats(client);
  if (command == "refusals") return Refusals(client);
  if (command == "lease") return Lease(client, words);
  if (command == "attach") return Attach(client, words);
  if (command == "read") return Read(client, words);
  if (command == "seal") return Seal(client, words);
  if (command == "peek") return Peek(words);
  if (command == "chmod") return Chmod(words);
  if (command == "release") return Release(client, words, /*revoke=*/false);
  if (command == "revoke") return Release(client, words, /*revoke=*/true);
  if (command == "renew") return Renew(client, words);
  if (command == "list") return List(client);
  if (command == "shutdown") return Shutdown(client);
  if (command == "loglevel") return LogLevel(client);
  if (command == "map") return Map(words);
  if (command == "session") return Session(client);
  return "unknown command";
}

int Main(int argc, char** argv) {
  if (argc < 3) return 2;
  const uid_t uid = std::atoi(argv[2]);
  std::vector<gid_t> groups;
  for (int i = 3; i < argc; ++i) groups.push_back(std::atoi(argv[i]));
  if (uid != 0 && (setgroups(groups.size(), groups.data()) < 0 ||
                   setgid(uid) < 0 || setuid(uid) < 0)) {
    std::perror("uid_client");
    return 1;
  }
  RawClient client(argv[1]);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << Answer(client, line) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace warmpool::testing

int main(int argc, char** argv) { return warmpool::testing::Main(argc, argv); }
