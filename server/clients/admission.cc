#include "server/clients/admission.h"

#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

absl::Status NotForUnprivileged(absl::string_view flag, uid_t daemon_uid) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag, " is for a daemon that runs as root: one that runs as uid ",
      daemon_uid,
      " serves that uid only, because it can't give segments away"));
}

}  // namespace

absl::StatusOr<Admission> Admission::Create(uid_t daemon_uid,
                                            const Options& options) {
  const auto is_other = [&](uid_t uid) {
    return uid != 0 && uid != daemon_uid;
  };
  if (daemon_uid != 0) {
    if (absl::c_any_of(options.allowed_uids, is_other)) {
      return NotForUnprivileged("allow_uid", daemon_uid);
    }
    if (!options.allowed_gids.empty()) {
      return NotForUnprivileged("allow_gid", daemon_uid);
    }
    if (absl::c_any_of(options.admin_uids, is_other)) {
      return NotForUnprivileged("admin_uid", daemon_uid);
    }
  }
  return Admission(daemon_uid, options);
}

absl::Status Admission::Check(const Credentials& peer) const {
  if (IsAdmin(peer.uid) || options_.allowed_uids.contains(peer.uid)) {
    return absl::OkStatus();
  }
  for (const gid_t gid : peer.gids) {
    if (options_.allowed_gids.contains(gid)) return absl::OkStatus();
  }
  const std::string refused =
      absl::StrCat("uid ", peer.uid, " is not served: ");
  if (daemon_uid_ != 0) {
    return absl::PermissionDeniedError(absl::StrCat(
        refused, "this daemon serves uid ", daemon_uid_,
        " only; run one of your own, or one as root with --allow_uid=",
        peer.uid));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      refused, "the daemon's administrator must start it with --allow_uid=",
      peer.uid, ", or with --allow_gid and a group of that user's"));
}

bool Admission::IsAdmin(uid_t uid) const {
  return uid == 0 || uid == daemon_uid_ || options_.admin_uids.contains(uid);
}

bool Admission::ServesOthers() const {
  return !options_.allowed_gids.empty() || ServesOtherUids();
}

bool Admission::ServesOtherUids() const {
  const auto is_other = [this](uid_t uid) {
    return uid != 0 && uid != daemon_uid_;
  };
  return absl::c_any_of(options_.allowed_uids, is_other) ||
         absl::c_any_of(options_.admin_uids, is_other);
}

SocketAccess Admission::socket_access() const {
  if (!ServesOthers()) return {.mode = 0600};
  if (options_.allowed_gids.size() == 1 && !ServesOtherUids()) {
    return {.mode = 0660, .group = *options_.allowed_gids.begin()};
  }
  return {.mode = 0666};
}

}  // namespace warmpool
