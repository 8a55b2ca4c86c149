// Assert, and what a list tells of clients, against a real daemon.
#include <filesystem>
#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kTwoMiB = 2 << 20;

class AssertRpcTest : public ::testing::Test {
 protected:
  v1::LeaseRequest LeaseOfClient(char client) {
    v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
    request.set_client_id(std::string(16, client));
    return request;
  }

  static v1::AssertRequest::AssertedLease AssertionOf(
      const v1::LeaseRequest& request, const v1::GrantedLease& lease) {
    v1::AssertRequest::AssertedLease asserted;
    asserted.set_lease_id(lease.lease_id());
    asserted.set_request_id(request.request_id());
    asserted.set_generation(lease.generation());
    asserted.set_buffer_name(lease.buffer_name());
    asserted.set_file_name(
        std::filesystem::path(lease.path()).filename().string());
    asserted.set_size_bytes(lease.size_bytes());
    asserted.set_access(lease.access());
    asserted.mutable_ttl()->set_seconds(30);
    return asserted;
  }

  v1::AssertResponse Assert(const v1::AssertRequest& request) {
    v1::AssertResponse response;
    const grpc::Status status =
        client_.Call(&RawClient::Stub::Assert, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  v1::ListBuffersResponse List(const std::string& client_id = "") {
    v1::ListBuffersRequest request;
    request.set_client_id(client_id);
    v1::ListBuffersResponse response;
    const grpc::Status status =
        client_.Call(&RawClient::Stub::ListBuffers, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  DaemonProcess daemon_{{"--default_ttl=0", "--max_ttl=1h"}};
  RawClient client_{daemon_.target()};
};

TEST_F(AssertRpcTest, ALeaseThatIsLiveIsRenewed) {
  const v1::LeaseRequest request = LeaseOfClient('c');
  const v1::GrantedLease lease = client_.MustLease(request);
  v1::AssertRequest assertion;
  assertion.set_client_id(request.client_id());
  *assertion.add_leases() = AssertionOf(request, lease);
  const v1::AssertResponse response = Assert(assertion);
  ASSERT_EQ(response.asserted_size(), 1);
  EXPECT_EQ(response.asserted(0).result().code(), 0)
      << response.asserted(0).result().message();
  EXPECT_EQ(response.asserted(0).ttl().seconds(), 30);
  EXPECT_EQ(client_.Stats().leases().live_leases(), 1u);
  EXPECT_EQ(List().buffers(0).leases(0).ttl_left().seconds(), 29);
}

TEST_F(AssertRpcTest, EachLeaseOfARequestHasItsOwnResult) {
  const v1::LeaseRequest request = LeaseOfClient('c');
  const v1::GrantedLease lease = client_.MustLease(request);
  const v1::AssertRequest::AssertedLease good = AssertionOf(request, lease);
  v1::AssertRequest assertion;
  assertion.add_leases();
  auto* bad = assertion.add_leases();
  *bad = good;
  bad->set_request_id("short");
  *(bad = assertion.add_leases()) = good;
  bad->clear_generation();
  *(bad = assertion.add_leases()) = good;
  bad->set_file_name("../etc");
  *(bad = assertion.add_leases()) = good;
  bad->clear_ttl();
  *(bad = assertion.add_leases()) = good;
  bad->mutable_ttl()->set_seconds(-1);
  *(bad = assertion.add_leases()) = good;
  bad->set_generation(lease.generation() + 1);
  *(bad = assertion.add_leases()) = good;
  bad->set_lease_id(std::string(16, 'x'));
  bad->set_request_id(std::string(16, 'y'));
  bad->set_buffer_name("another");
  bad->set_file_name("0.seg");
  *assertion.add_leases() = good;
  const v1::AssertResponse response = Assert(assertion);
  ASSERT_EQ(response.asserted_size(), 9);
  const struct {
    int code;
    const char* told;
  } expected[] = {
      {grpc::StatusCode::INVALID_ARGUMENT, "lease_id has 0 bytes"},
      {grpc::StatusCode::INVALID_ARGUMENT, "request_id has 5 bytes"},
      {grpc::StatusCode::INVALID_ARGUMENT, "generation 0"},
      {grpc::StatusCode::INVALID_ARGUMENT, "file_name \"../etc\""},
      {grpc::StatusCode::INVALID_ARGUMENT, "ttl is absent"},
      {grpc::StatusCode::INVALID_ARGUMENT, "-1s"},
      {grpc::StatusCode::FAILED_PRECONDITION, "generation"},
      {grpc::StatusCode::NOT_FOUND, "0.seg"},
      {grpc::StatusCode::OK, ""}};
  for (int i = 0; i < 9; ++i) {
    const v1::Result& result = response.asserted(i).result();
    EXPECT_EQ(result.code(), expected[i].code) << i << result.message();
    EXPECT_THAT(result.message(), HasSubstr(expected[i].told)) << i;
  }
  EXPECT_EQ(client_.Stats().leases().live_leases(), 1u);
}

TEST_F(AssertRpcTest, ASessionAnswersItToo) {
  const v1::LeaseRequest request = LeaseOfClient('c');
  const v1::GrantedLease lease = client_.MustLease(request);
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto stream = client_.stub().Session(&context);
  v1::SessionRequest assertion;
  assertion.set_tag(5);
  *assertion.mutable_assertion()->add_leases() = AssertionOf(request, lease);
  ASSERT_TRUE(stream->Write(assertion));
  v1::SessionResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.reply().tag(), 5u);
  ASSERT_EQ(response.reply().assertion().asserted_size(), 1);
  EXPECT_EQ(response.reply().assertion().asserted(0).result().code(), 0);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AssertRpcTest, AListTellsClientsTheirOwnLeases) {
  const v1::LeaseRequest mine = LeaseOfClient('m');
  const v1::GrantedLease lease = client_.MustLease(mine);
  client_.MustLease(LeaseOfClient('o'));
  client_.MustLease(RawClient::LeaseOf(4096));
  const v1::ListBuffersResponse all = List();
  EXPECT_EQ(all.buffers_size(), 3);
  for (const v1::Buffer& buffer : all.buffers()) {
    const bool said = buffer.size_bytes() != 4096;
    EXPECT_EQ(buffer.leases(0).client_id().empty(), !said);
    EXPECT_EQ(buffer.leases(0).request_id().size(), 16u);
  }
  const v1::ListBuffersResponse response = List(mine.client_id());
  ASSERT_EQ(response.buffers_size(), 1);
  const v1::BufferLease& listed = response.buffers(0).leases(0);
  EXPECT_EQ(listed.lease_id(), lease.lease_id());
  EXPECT_EQ(listed.client_id(), mine.client_id());
  EXPECT_EQ(listed.request_id(), mine.request_id());
}

TEST_F(AssertRpcTest, AClientIdHasSixteenBytesWhereverItIsGiven) {
  const std::string told = "client_id has 3 bytes";
  v1::LeaseRequest lease = RawClient::LeaseOf(4096);
  lease.set_client_id("abc");
  v1::LeaseResponse leased;
  grpc::Status status = client_.Lease(lease, &leased);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr(told));
  v1::AttachRequest attach = RawClient::AttachOf("name");
  attach.set_client_id("abc");
  v1::AttachResponse attached;
  status = client_.Call(&RawClient::Stub::Attach, attach, &attached);
  EXPECT_THAT(status.error_message(), HasSubstr(told));
  v1::AssertRequest assertion;
  assertion.set_client_id("abc");
  v1::AssertResponse asserted;
  status = client_.Call(&RawClient::Stub::Assert, assertion, &asserted);
  EXPECT_THAT(status.error_message(), HasSubstr(told));
  v1::ListBuffersRequest list;
  list.set_client_id("abc");
  v1::ListBuffersResponse listed;
  status = client_.Call(&RawClient::Stub::ListBuffers, list, &listed);
  EXPECT_THAT(status.error_message(), HasSubstr(told));
}

}  // namespace
}  // namespace warmpool::testing
