// A client process for end-to-end tests. It fills buffers with patterns that
// only it could have written, and checks that they stay.
//
//   pattern_client churn TARGET SEED ITERATIONS [LEASE_CACHE_BYTES]
//   pattern_client hold TARGET NAME BYTES        (until killed)
//   pattern_client hoard TARGET NAME COUNT       (as many small buffers, the
//   same) pattern_client view TARGET NAME              (checks at each line of
//   input) pattern_client cling TARGET   (leases the same buffer while it can)
//   pattern_client scribble TARGET NAME          (writes where it may not)
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "warmpool/warmpool.h"

namespace {

constexpr size_t kPage = 4096;

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (value.ok()) return *std::move(value);
  std::cout << value.status() << std::endl;
  std::exit(1);
}

// Writes a stamp at the start of each page and over the last byte.
void Stamp(std::span<std::byte> bytes, uint64_t stamp) {
  for (size_t at = 0; at + sizeof(stamp) <= bytes.size(); at += kPage) {
    std::memcpy(bytes.data() + at, &stamp, sizeof(stamp));
  }
  bytes.back() = static_cast<std::byte>(stamp);
}

bool HasStamp(std::span<const std::byte> bytes, uint64_t stamp) {
  if (bytes.back() != static_cast<std::byte>(stamp)) return false;
  // The last byte may be one of the last page's stamp.
  for (size_t at = 0; at + sizeof(stamp) < bytes.size(); at += kPage) {
    if (std::memcmp(bytes.data() + at, &stamp, sizeof(stamp)) != 0) {
      return false;
    }
  }
  return true;
}

uint64_t StampOf(const std::string& name) {
  return std::hash<std::string>()(name);
}

int Churn(warmpool::Client& client, uint64_t seed, int iterations) {
  struct Held {
    warmpool::Buffer buffer;
    uint64_t stamp;
  };
  std::mt19937_64 random(seed);
  std::vector<Held> held;
  for (int i = 0; i < iterations; ++i) {
    if (held.size() == 8) {
      const size_t victim = random() % held.size();
      if (!HasStamp(held[victim].buffer.span(), held[victim].stamp)) {
        std::cout << "bytes of a live lease changed" << std::endl;
        return 1;
      }
      const absl::Status released = held[victim].buffer.Release();
      if (!released.ok()) {
        std::cout << released << std::endl;
        return 1;
      }
      held.erase(held.begin() + static_cast<ptrdiff_t>(victim));
    }
    const uint64_t size = 1 + random() % (uint64_t{1} << (random() % 23));
    warmpool::Buffer buffer =
        Must(client.Lease(size, {.zeroed = random() % 4 == 0}));
    if (buffer.size() != size) return 1;
    if (buffer.zeroed() && buffer.span().back() != std::byte{0}) {
      std::cout << "a zeroed buffer is not" << std::endl;
      return 1;
    }
    const uint64_t stamp = random();
    Stamp(buffer.span(), stamp);
    held.push_back({std::move(buffer), stamp});
  }
  std::cout << "ok" << std::endl;
  return 0;
}

int Hold(warmpool::Client& client, const std::string& name, uint64_t bytes) {
  warmpool::Buffer buffer = Must(client.Lease(bytes, {.name = name}));
  Stamp(buffer.span(), StampOf(name));
  const absl::Status sealed = buffer.Seal();
  if (!sealed.ok()) {
    std::cout << sealed << std::endl;
    return 1;
  }
  std::cout << absl::BytesToHexString(buffer.lease_id()) << std::endl;
  for (;;) pause();
}

int Hoard(warmpool::Client& client, const std::string& name, uint64_t count) {
  std::vector<warmpool::Buffer> buffers;
  for (uint64_t i = 0; i < count; ++i) {
    buffers.push_back(
        Must(client.Lease(kPage, {.name = name + std::to_string(i)})));
  }
  std::cout << "hoarded" << std::endl;
  for (;;) pause();
}

int View(warmpool::Client& client, const std::string& name) {
  warmpool::Buffer buffer = Must(client.Attach(name));
  std::cout << "attached" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << (HasStamp(buffer.span(), StampOf(name)) ? "intact" : "changed")
              << std::endl;
  }
  return 0;
}

int Cling(warmpool::Client& client) {
  constexpr uint64_t kBytes = 2 << 20;
  const std::string lease_id = Must(client.Lease(kBytes)).lease_id();
  if (Must(client.Lease(kBytes)).lease_id() != lease_id) return 1;
  std::cout << absl::BytesToHexString(lease_id) << std::endl;
  std::string line;
  std::getline(std::cin, line);
  // Bad news is not here at once.
  while (Must(client.Lease(kBytes)).lease_id() == lease_id) usleep(100);
  std::cout << "another" << std::endl;
  return 0;
}

int Scribble(warmpool::Client& client, const std::string& name) {
  warmpool::Buffer buffer = Must(client.Attach(name));
  // AddressSanitizer would make a report and an exit code of the signal.
  signal(SIGSEGV, SIG_DFL);
  buffer.data()[0] = std::byte{1};
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const std::string& mode = arguments.at(0);
  uint64_t number = 0;
  if (arguments.size() > 3 && !absl::SimpleAtoi(arguments[3], &number)) {
    return 2;
  }
  warmpool::ClientOptions options;
  if (arguments.size() > 4 &&
      !absl::SimpleAtoi(arguments[4], &options.lease_cache_bytes)) {
    return 2;
  }
  warmpool::Client client =
      Must(warmpool::Client::Connect(arguments.at(1), options));
  if (mode == "churn") {
    return Churn(client, std::stoull(arguments.at(2)),
                 static_cast<int>(number));
  }
  if (mode == "hold") return Hold(client, arguments.at(2), number);
  if (mode == "hoard") return Hoard(client, arguments.at(2), number);
  if (mode == "view") return View(client, arguments.at(2));
  if (mode == "cling") return Cling(client);
  if (mode == "scribble") return Scribble(client, arguments.at(2));
  return 2;
}
