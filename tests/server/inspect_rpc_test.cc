// ListBuffers and WatchStats against a real daemon.
#include <unistd.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

class InspectRpcTest : public ::testing::Test {
 protected:
  void LeaseNamed(const std::string& name) {
    v1::LeaseRequest request = RawClient::LeaseOf(5000);
    request.set_name(name);
    client_.MustLease(request);
  }

  v1::ListBuffersResponse List(const v1::ListBuffersRequest& request) {
    v1::ListBuffersResponse response;
    const grpc::Status status =
        client_.Call(&RawClient::Stub::ListBuffers, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  DaemonProcess daemon_;
  RawClient client_{daemon_.target()};
};

TEST_F(InspectRpcTest, AListingShowsBufferAndHolder) {
  LeaseNamed("columns/7");
  const v1::ListBuffersResponse response = List({});
  ASSERT_EQ(response.buffers_size(), 1);
  const v1::Buffer& buffer = response.buffers(0);
  EXPECT_EQ(buffer.name(), "columns/7");
  EXPECT_EQ(buffer.size_bytes(), 5000u);
  EXPECT_EQ(buffer.mapped_bytes(), 8192u);
  EXPECT_EQ(buffer.uid(), getuid());
  ASSERT_EQ(buffer.leases_size(), 1);
  EXPECT_EQ(buffer.leases(0).pid(), getpid());
  EXPECT_EQ(buffer.leases(0).command(), "inspect_rpc_tes");
  EXPECT_GT(buffer.leases(0).ttl_left().seconds(), 50);
  EXPECT_EQ(buffer.leases(0).access(), v1::ACCESS_SHARED_WRITABLE);
}

TEST_F(InspectRpcTest, PagesTogetherAreTheWholeList) {
  for (int i = 0; i < 25; ++i) LeaseNamed(absl::StrCat("page/", i));
  LeaseNamed("other");
  v1::ListBuffersRequest request;
  request.set_page_size(10);
  request.set_name_prefix("page/");
  std::multiset<std::string> names;
  int pages = 0;
  do {
    const v1::ListBuffersResponse response = List(request);
    for (const v1::Buffer& buffer : response.buffers()) {
      names.insert(buffer.name());
    }
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(names.size(), 25u);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 25u);
}

TEST_F(InspectRpcTest, FiltersByHolderAndUid) {
  LeaseNamed("mine");
  v1::ListBuffersRequest request;
  request.set_holder_pid(getpid());
  EXPECT_EQ(List(request).buffers_size(), 1);
  request.set_holder_pid(getpid() + 1);
  EXPECT_EQ(List(request).buffers_size(), 0);
  request.clear_holder_pid();
  request.set_uid(getuid() + 1);
  EXPECT_EQ(List(request).buffers_size(), 0);
}

TEST_F(InspectRpcTest, MalformedListingsAreRefusedByValue) {
  v1::ListBuffersRequest request;
  request.set_page_token("nonsense");
  v1::ListBuffersResponse response;
  grpc::Status status =
      client_.Call(&RawClient::Stub::ListBuffers, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("nonsense"));
  request.clear_page_token();
  request.set_page_size(1001);
  status = client_.Call(&RawClient::Stub::ListBuffers, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("1001"));
}

TEST_F(InspectRpcTest, WatchedStatisticsFollowWhatHappens) {
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  const auto reader = client_.stub().WatchStats(&context, request);
  v1::GetStatsResponse stats;
  ASSERT_TRUE(reader->Read(&stats));
  EXPECT_EQ(stats.leases().live_leases(), 0u);
  LeaseNamed("seen");
  do {
    ASSERT_TRUE(reader->Read(&stats));
  } while (stats.leases().live_leases() == 0);
  context.TryCancel();
  while (reader->Read(&stats)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(InspectRpcTest, AWatchIntervalOutOfBoundsIsRefusedByValue) {
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(1000);
  const auto reader = client_.stub().WatchStats(&context, request);
  v1::GetStatsResponse stats;
  EXPECT_FALSE(reader->Read(&stats));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("1us"));
}

TEST_F(InspectRpcTest, AWatcherDoesNotHoldUpTheDaemonsEnd) {
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_seconds(3600);
  const auto reader = client_.stub().WatchStats(&context, request);
  v1::GetStatsResponse stats;
  ASSERT_TRUE(reader->Read(&stats));
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_FALSE(reader->Read(&stats));
}

}  // namespace
}  // namespace warmpool::testing
