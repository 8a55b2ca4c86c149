// The library at daemons of other versions: one that says what it does not
// know, and one that knows no more than the first release did.
#include <memory>
#include <utility>

#include "client/leases/connection.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/held_leases.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::warmpool::testing::Eventually;

// No message has a field of that number.
constexpr int kUnknownField = 1000;

template <typename Message>
void AddUnknown(Message* message) {
  auto* const unknown = message->GetReflection()->MutableUnknownFields(message);
  unknown->AddVarint(kUnknownField, 7);
  unknown->AddLengthDelimited(kUnknownField + 1, "more");
}

class CompatibilityTest : public ::testing::Test {
 protected:
  void SetUp() override { daemon_.Listen(); }

  std::shared_ptr<Connection> Open() {
    absl::StatusOr<std::shared_ptr<Connection>> connection =
        Connection::Open(daemon_.target(), {});
    EXPECT_THAT(connection, IsOk());
    return *std::move(connection);
  }
  static absl::StatusOr<HeldLease> Lease(Connection* connection) {
    v1::LeaseRequest request;
    request.set_size_bytes(4096);
    return connection->Lease(request);
  }

  ScriptedDaemon daemon_;
  HeldLeases held_{&daemon_};
};

TEST_F(CompatibilityTest, WhatALaterDaemonTellsIsPassedOver) {
  const std::shared_ptr<Connection> connection = Open();
  const auto grant = daemon_.on_lease;
  daemon_.on_lease = [&](const v1::LeaseRequest& request,
                         v1::LeaseResponse* response) {
    const grpc::Status status = grant(request, response);
    AddUnknown(response);
    AddUnknown(response->mutable_lease());
    return status;
  };
  const absl::StatusOr<HeldLease> first = Lease(connection.get());
  ASSERT_THAT(first, IsOk());
  ASSERT_TRUE(Eventually([&] { return daemon_.sessions() == 1; }));
  // An event of a kind that is not known, and one with more than is known.
  v1::SessionResponse unknown;
  AddUnknown(&unknown);
  daemon_.SendNotice(unknown);
  v1::SessionResponse trim;
  trim.mutable_trim();
  AddUnknown(trim.mutable_trim());
  daemon_.SendNotice(trim);
  EXPECT_THAT(Lease(connection.get()), IsOk());
  EXPECT_THAT(connection->Renew(first->granted), IsOk());
  EXPECT_EQ(daemon_.sessions(), 1);
  EXPECT_EQ(daemon_.connections(), 1);
}

TEST_F(CompatibilityTest, AnEarlierDaemonsGrantsAreEnough) {
  const auto grant = daemon_.on_lease;
  daemon_.on_lease = [&](const v1::LeaseRequest& request,
                         v1::LeaseResponse* response) {
    const grpc::Status status = grant(request, response);
    // Fields 1 to 11 were those of the first release.
    v1::GrantedLease* const lease = response->mutable_lease();
    const auto* const descriptor = lease->GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      if (descriptor->field(i)->number() > 11) {
        lease->GetReflection()->ClearField(lease, descriptor->field(i));
      }
    }
    return status;
  };
  // All that came later is UNIMPLEMENTED.
  daemon_.on_lease_many = nullptr;
  daemon_.on_make_ticket = nullptr;
  daemon_.on_idle = nullptr;
  const std::shared_ptr<Connection> connection = Open();
  const absl::StatusOr<HeldLease> lease = Lease(connection.get());
  ASSERT_THAT(lease, IsOk());
  EXPECT_THAT(connection->Renew(lease->granted), IsOk());
  EXPECT_THAT(connection->Release(lease->granted), IsOk());
  EXPECT_TRUE(Eventually([&] { return held_.size() == 0; }));
}

}  // namespace
}  // namespace warmpool
