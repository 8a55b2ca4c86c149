// Reads the buffers that a producer names, where they are.
//
//   consumer POOL LISTEN
//   consumer unix:/tmp/wp.sock unix:/tmp/frames.sock
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdio>
#include <utility>

#include "client/examples/frames.grpc.pb.h"
#include "warmpool/warmpool.h"

namespace {

namespace examples = warmpool::examples;

class Consumer final : public examples::Frames::Service {
 public:
  explicit Consumer(warmpool::Client pool) : pool_(std::move(pool)) {}

  grpc::Status Show(grpc::ServerContext*, const examples::Frame* frame,
                    examples::Shown* shown) override {
    const absl::StatusOr<warmpool::Buffer> view =
        pool_.Attach(frame->buffer_name());
    if (!view.ok()) {
      return {grpc::StatusCode::UNAVAILABLE, view.status().ToString()};
    }
    uint64_t sum = 0;
    for (const std::byte byte : view->span()) sum += std::to_integer<int>(byte);
    shown->set_size_bytes(view->size());
    shown->set_sum(sum);
    return grpc::Status::OK;
  }

 private:
  warmpool::Client pool_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: consumer POOL LISTEN\n");
    return 2;
  }
  absl::StatusOr<warmpool::Client> pool = warmpool::Client::Connect(argv[1]);
  if (!pool.ok()) {
    std::fprintf(stderr, "%s\n", pool.status().ToString().c_str());
    return 1;
  }
  Consumer consumer(*std::move(pool));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[2], grpc::InsecureServerCredentials());
  builder.RegisterService(&consumer);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("listening at %s\n", argv[2]);
  std::fflush(stdout);
  server->Wait();
}
