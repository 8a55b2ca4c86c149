#include "server/clients/admission.h"

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;
constexpr gid_t kFriends = 2000;

Admission Make(uid_t daemon_uid, const Admission::Options& options = {}) {
  return *Admission::Create(daemon_uid, options);
}

TEST(AdmissionTest, AnUnprivilegedDaemonServesItsOwnUidAndRoot) {
  const Admission admission = Make(kAlice);
  EXPECT_THAT(admission.Check({kAlice, {1}}), IsOk());
  EXPECT_THAT(admission.Check({0, {0}}), IsOk());
  EXPECT_THAT(admission.Check({kBob, {1}}),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("uid 1001 is not served")));
  EXPECT_FALSE(admission.ServesOthers());
  EXPECT_EQ(admission.socket_access().mode, 0600u);
}

TEST(AdmissionTest, AnUnprivilegedDaemonCanNotBeToldToServeOthers) {
  EXPECT_THAT(
      Admission::Create(kAlice, {.allowed_uids = {kBob}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--allow_uid")));
  EXPECT_THAT(
      Admission::Create(kAlice, {.allowed_gids = {kFriends}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--allow_gid")));
  EXPECT_THAT(
      Admission::Create(kAlice, {.admin_uids = {kBob}}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("--admin_uid")));
  EXPECT_THAT(Admission::Create(
                  kAlice, {.allowed_uids = {0, kAlice}, .admin_uids = {0}}),
              IsOk());
}

TEST(AdmissionTest, ARootDaemonServesRootAloneUnlessToldOtherwise) {
  const Admission admission = Make(0);
  EXPECT_THAT(admission.Check({0, {0}}), IsOk());
  EXPECT_THAT(admission.Check({kAlice, {0}}),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_EQ(admission.socket_access().mode, 0600u);
}

TEST(AdmissionTest, ARootDaemonServesTheUidsItIsTold) {
  const Admission admission = Make(0, {.allowed_uids = {kAlice}});
  EXPECT_THAT(admission.Check({kAlice, {1}}), IsOk());
  EXPECT_THAT(admission.Check({kBob, {1}}),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_TRUE(admission.ServesOthers());
  EXPECT_EQ(admission.socket_access().mode, 0666u);
}

TEST(AdmissionTest, ARootDaemonServesMembersOfGroupsByAnyOfTheirGroups) {
  const Admission admission = Make(0, {.allowed_gids = {kFriends}});
  EXPECT_THAT(admission.Check({kAlice, {kFriends}}), IsOk());
  EXPECT_THAT(admission.Check({kBob, {1, 2, kFriends}}), IsOk());
  EXPECT_THAT(admission.Check({kBob, {1, 2}}),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(admission.Check({kBob, {}}),
              StatusIs(absl::StatusCode::kPermissionDenied));
}

TEST(AdmissionTest, TheSocketIsOneGroupsWhereNobodyElseIsServed) {
  const SocketAccess group{.mode = 0660, .group = kFriends};
  EXPECT_EQ(Make(0, {.allowed_gids = {kFriends}}).socket_access(), group);
  EXPECT_EQ(Make(0, {.allowed_uids = {0}, .allowed_gids = {kFriends}})
                .socket_access(),
            group);
  const SocketAccess all{.mode = 0666};
  EXPECT_EQ(Make(0, {.allowed_uids = {kBob}, .allowed_gids = {kFriends}})
                .socket_access(),
            all);
  EXPECT_EQ(Make(0, {.allowed_gids = {kFriends}, .admin_uids = {kBob}})
                .socket_access(),
            all);
  EXPECT_EQ(Make(0, {.allowed_gids = {kFriends, kFriends + 1}}).socket_access(),
            all);
}

TEST(AdmissionTest, AdminsAreRootTheDaemonsUidAndThoseNamed) {
  const Admission own = Make(kAlice);
  EXPECT_TRUE(own.IsAdmin(0));
  EXPECT_TRUE(own.IsAdmin(kAlice));
  EXPECT_FALSE(own.IsAdmin(kBob));
  const Admission root =
      Make(0, {.allowed_uids = {kAlice}, .admin_uids = {kBob}});
  EXPECT_TRUE(root.IsAdmin(0));
  EXPECT_FALSE(root.IsAdmin(kAlice));
  EXPECT_TRUE(root.IsAdmin(kBob));
  // One who may command may connect.
  EXPECT_THAT(root.Check({kBob, {1}}), IsOk());
}

TEST(AdmissionTest, NamingRootAloneOpensNothing) {
  EXPECT_EQ(
      Make(0, {.allowed_uids = {0}, .admin_uids = {0}}).socket_access().mode,
      0600u);
}

}  // namespace
}  // namespace warmpool
