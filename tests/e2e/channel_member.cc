// A member of the channel "frames", for end-to-end tests. It stamps each page
// of what it gets, and checks that the stamps are those that were last written.
// A line of input is a command, and a line of output its answer ("error CODE"
// if refused, "changed" if a stamp is another):
//
//   lease BYTES STAMP     a buffer, stamped             "has ID"
//   take TOKEN OLD STAMP  that has OLD; stamped anew    "has ID"
//   give ID STAMP         that has STAMP                "gave TOKEN"
//   drop ID STAMP         that has STAMP                "dropped"
//
//   channel_member TARGET [TAKE_WITHIN_MS MAX_BYTES]
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/time/time.h"
#include "warmpool/warmpool.h"

namespace {

constexpr size_t kPage = 4096;

void Stamp(std::span<std::byte> bytes, uint64_t stamp) {
  for (size_t at = 0; at + sizeof(stamp) <= bytes.size(); at += kPage) {
    std::memcpy(bytes.data() + at, &stamp, sizeof(stamp));
  }
}

bool HasStamp(std::span<const std::byte> bytes, uint64_t stamp) {
  for (size_t at = 0; at + sizeof(stamp) <= bytes.size(); at += kPage) {
    if (std::memcmp(bytes.data() + at, &stamp, sizeof(stamp)) != 0)
      return false;
  }
  return true;
}

class Member {
 public:
  explicit Member(warmpool::Channel channel) : channel_(std::move(channel)) {}

  std::string Answer(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "lease") {
      uint64_t bytes = 0;
      uint64_t stamp = 0;
      words >> bytes >> stamp;
      return Keep(channel_.Lease(bytes), stamp);
    }
    if (command == "take") {
      std::string token;
      uint64_t old = 0;
      uint64_t stamp = 0;
      words >> token >> old >> stamp;
      auto buffer = channel_.Take(absl::HexStringToBytes(token));
      if (buffer.ok() && !HasStamp(std::as_const(*buffer).span(), old)) {
        return "changed";
      }
      return Keep(std::move(buffer), stamp);
    }
    uint64_t id = 0;
    uint64_t stamp = 0;
    words >> id >> stamp;
    const auto held = held_.find(id);
    if (held == held_.end()) return "error: no buffer has that id";
    if (!HasStamp(std::as_const(held->second).span(), stamp)) return "changed";
    if (command == "drop") {
      held_.erase(held);
      return "dropped";
    }
    const absl::StatusOr<std::string> token = held->second.Give();
    if (!token.ok()) return Error(token.status());
    held_.erase(held);
    return "gave " + absl::BytesToHexString(*token);
  }

 private:
  static std::string Error(const absl::Status& status) {
    std::cerr << status << std::endl;
    return "error " + std::string(absl::StatusCodeToString(status.code()));
  }

  std::string Keep(absl::StatusOr<warmpool::ChannelBuffer> buffer,
                   uint64_t stamp) {
    if (!buffer.ok()) return Error(buffer.status());
    Stamp(buffer->span(), stamp);
    held_.emplace(++last_id_, *std::move(buffer));
    return "has " + std::to_string(last_id_);
  }

  warmpool::Channel channel_;
  std::map<uint64_t, warmpool::ChannelBuffer> held_;
  uint64_t last_id_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 4) return 2;
  warmpool::ChannelOptions options;
  if (argc == 4) {
    options.take_within = absl::Milliseconds(std::atol(argv[2]));
    options.max_bytes = std::strtoull(argv[3], nullptr, 10);
  }
  absl::StatusOr<warmpool::Client> client = warmpool::Client::Connect(argv[1]);
  if (!client.ok()) {
    std::cerr << client.status() << std::endl;
    return 1;
  }
  Member member(client->OpenChannel("frames", options));
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << member.Answer(line) << std::endl;
  }
}
