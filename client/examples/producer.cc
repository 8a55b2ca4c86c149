// Fills buffers and hands them to the consumer, by name.
//
//   producer POOL CONSUMER COUNT
//   producer unix:/tmp/wp.sock unix:/tmp/frames.sock 10
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/examples/frames.grpc.pb.h"
#include "core/base/status_macros.h"
#include "warmpool/warmpool.h"

namespace {

namespace examples = warmpool::examples;

constexpr uint64_t kFrameBytes = 16 << 20;

absl::Status Produce(warmpool::Client& pool, examples::Frames::Stub& consumer,
                     int number) {
  const std::string name = absl::StrCat("frames/", getpid(), "/", number);
  ASSIGN_OR_RETURN(warmpool::Buffer frame,
                   pool.Lease(kFrameBytes, {.name = name}));
  std::memset(frame.data(), number, frame.size());
  // Nobody can change it from here on, not this process either.
  RETURN_IF_ERROR(frame.Seal());

  examples::Frame message;
  message.set_buffer_name(name);
  examples::Shown shown;
  grpc::ClientContext context;
  const grpc::Status sent = consumer.Show(&context, message, &shown);
  if (!sent.ok()) return absl::UnavailableError(sent.error_message());
  std::printf("%s: %llu bytes, their sum is %llu\n", name.c_str(),
              static_cast<unsigned long long>(shown.size_bytes()),
              static_cast<unsigned long long>(shown.sum()));
  return absl::OkStatus();
}  // The lease ends; the buffer goes with that of its last reader.

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: producer POOL CONSUMER COUNT\n");
    return 2;
  }
  absl::StatusOr<warmpool::Client> pool = warmpool::Client::Connect(argv[1]);
  const auto consumer = examples::Frames::NewStub(
      grpc::CreateChannel(argv[2], grpc::InsecureChannelCredentials()));
  absl::Status status = pool.status();
  for (int i = 0; status.ok() && i < std::atoi(argv[3]); ++i) {
    status = Produce(*pool, *consumer, i);
  }
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
