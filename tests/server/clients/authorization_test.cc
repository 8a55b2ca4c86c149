#include "server/clients/authorization.h"

#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

constexpr char kDenied[] =
    "only uid 0, the daemon's own uid and --admin_uid may revoke leases";

Holder HolderWhoIs(bool admin) {
  Holder holder;
  holder.id = 1;
  holder.admin = admin;
  return holder;
}

TEST(AuthorizationTest, AnAdminMay) {
  EXPECT_THAT(RequireAdmin(HolderWhoIs(/*admin=*/true), "revoke leases"),
              IsOk());
}

TEST(AuthorizationTest, AnotherHolderMayNot) {
  EXPECT_THAT(RequireAdmin(HolderWhoIs(/*admin=*/false), "revoke leases"),
              StatusIs(absl::StatusCode::kPermissionDenied, kDenied));
}

TEST(AuthorizationTest, AHolderThatIsGoneMayNot) {
  EXPECT_THAT(RequireAdmin(absl::UnavailableError("gone"), "revoke leases"),
              StatusIs(absl::StatusCode::kPermissionDenied, kDenied));
}

}  // namespace
}  // namespace warmpool
