// The Python example, as the README has it.
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "client/examples/frames.grpc.pb.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/examples/readme_commands.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kExpected[] = ": 6220800 bytes, their sum is 777598120\n";

// A consumer that looks at every byte where it is.
class CheckingConsumer final : public examples::Frames::Service {
 public:
  explicit CheckingConsumer(Client pool) : pool_(std::move(pool)) {}

  grpc::Status Show(grpc::ServerContext*, const examples::Frame* frame,
                    examples::Shown* shown) override {
    const absl::StatusOr<Buffer> view = pool_.Attach(frame->buffer_name());
    if (!view.ok()) {
      return {grpc::StatusCode::UNAVAILABLE, view.status().ToString()};
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < view->size(); ++i) {
      const int byte = std::to_integer<int>(view->data()[i]);
      if (byte != static_cast<int>(i % 251)) ++wrong_bytes_;
      sum += byte;
    }
    checked_bytes_ += view->size();
    shown->set_size_bytes(view->size());
    shown->set_sum(sum);
    return grpc::Status::OK;
  }

  size_t checked_bytes() const { return checked_bytes_; }
  size_t wrong_bytes() const { return wrong_bytes_; }

 private:
  Client pool_;
  std::atomic<size_t> checked_bytes_ = 0;
  std::atomic<size_t> wrong_bytes_ = 0;
};

class PythonExampleTest : public ::testing::Test {
 protected:
  // With this test's sockets, after `edit`.
  ToolResult RunCommands(const std::string& edit) {
    return RunReadmeCommands(
        "tests/client/examples/readme_python.sh",
        {edit, "s|unix:/tmp/wp.sock|" + daemon_.target() + "|g",
         "s|unix:/tmp/frames.sock|" + frames_target() + "|g"});
  }

  std::string frames_target() const { return daemon_.target() + ".frames"; }

  DaemonProcess daemon_;
};

TEST_F(PythonExampleTest, TheReadmeShowsItWhole) {
  const ToolResult diff = RunTool(
      "diff -u client/examples/producer.py "
      "tests/client/examples/readme_producer.py");
  EXPECT_EQ(diff.exit_code, 0) << diff.out << diff.err;
}

TEST_F(PythonExampleTest, TheConsumerSumsUpWhatPythonWrote) {
  const ToolResult result = RunCommands("/^bazel build/d; s|^bazel-bin/||");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(kExpected));
}

TEST_F(PythonExampleTest, AViewThatIsForgottenIsAnExceptionAndNoCrash) {
  for (
      const std::string edit :
      {R"(s|client/examples/producer.py|<(sed "/^del frame/d" &)|)",
       // Of a part of it.
       R"(s|client/examples/producer.py|<(sed "s/^del/top = frame[0]; del/" &)|)"}) {
    const ToolResult result = RunCommands("/^bazel/d; " + edit);
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr("BufferError: cannot close exported"));
  }
}

TEST_F(PythonExampleTest, EveryByteIsWhatPythonWrote) {
  absl::StatusOr<Client> pool = Client::Connect(daemon_.target());
  ASSERT_TRUE(pool.ok()) << pool.status();
  CheckingConsumer consumer(*std::move(pool));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(frames_target(), grpc::InsecureServerCredentials());
  builder.RegisterService(&consumer);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);

  const ToolResult result = RunCommands("/^bazel/d");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(kExpected));
  EXPECT_EQ(consumer.checked_bytes(), 1920u * 1080 * 3);
  EXPECT_EQ(consumer.wrong_bytes(), 0u);
  server->Shutdown();
}

}  // namespace
}  // namespace warmpool::testing
