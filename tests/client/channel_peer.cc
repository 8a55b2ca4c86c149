// A member of a channel, for tests: takes the buffer of each token that it reads,
// as a line of hex, adds 1 to each byte, and gives it back as a line of output.
//
//   channel_peer TARGET CHANNEL
#include <cstddef>
#include <iostream>
#include <string>

#include "absl/strings/escaping.h"
#include "client/warmpool.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  absl::StatusOr<warmpool::Client> client = warmpool::Client::Connect(argv[1]);
  if (!client.ok()) {
    std::cerr << client.status() << std::endl;
    return 1;
  }
  warmpool::Channel channel = client->OpenChannel(argv[2]);
  for (std::string line; std::getline(std::cin, line);) {
    absl::StatusOr<warmpool::ChannelBuffer> buffer =
        channel.Take(absl::HexStringToBytes(line));
    if (!buffer.ok()) {
      std::cerr << buffer.status() << std::endl;
      return 1;
    }
    for (std::byte& byte : buffer->span()) {
      byte = static_cast<std::byte>(std::to_integer<int>(byte) + 1);
    }
    const absl::StatusOr<std::string> token = buffer->Give();
    if (!token.ok()) {
      std::cerr << token.status() << std::endl;
      return 1;
    }
    std::cout << absl::BytesToHexString(*token) << std::endl;
  }
}
