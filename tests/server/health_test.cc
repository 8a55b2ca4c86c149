// The standard health protocol, as probes speak it.
#include <signal.h>

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthTest : public ::testing::Test {
 protected:
  HealthCheckRequest RequestFor(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request;
  }

  grpc::Status Check(const std::string& service,
                     HealthCheckResponse* response) {
    grpc::ClientContext context;
    RawClient::SetDeadline(&context);
    return stub_->Check(&context, RequestFor(service), response);
  }

  DaemonProcess daemon_{{"--drain_timeout=30s"}};
  RawClient client_{daemon_.target()};
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_ =
      grpc::health::v1::Health::NewStub(client_.channel());
};

TEST_F(HealthTest, TheServerAndItsServiceAreServing) {
  HealthCheckResponse response;
  for (const char* const service : {"", "warmpool.v1.MemoryPool"}) {
    ASSERT_TRUE(Check(service, &response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
}

TEST_F(HealthTest, AServiceThatIsNotThereIsNotFound) {
  HealthCheckResponse response;
  EXPECT_EQ(Check("warmpool.v1.Other", &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto watch = stub_->Watch(&context, RequestFor("warmpool.v1.Other"));
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  watch->Finish();
}

TEST_F(HealthTest, WhoeverWatchesIsToldOfTheDrain) {
  // So that there is something to wait for.
  client_.MustLease(RawClient::LeaseOf(1));
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto watch = stub_->Watch(&context, RequestFor(""));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  kill(daemon_.pid(), SIGTERM);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  context.TryCancel();
  watch->Finish();
}

}  // namespace
}  // namespace warmpool::testing
