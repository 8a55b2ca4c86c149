#include "core/memory/directory/sharing.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/base/little_endian.h"

namespace warmpool {
namespace {

void PutEntry(uint16_t tag, uint16_t permissions, uint32_t id,
              std::string* acl) {
  PutLittleEndian(tag, acl);
  PutLittleEndian(permissions, acl);
  PutLittleEndian(id, acl);
}

std::string BeginAcl() {
  std::string acl;
  PutLittleEndian(static_cast<uint32_t>(POSIX_ACL_XATTR_VERSION), &acl);
  return acl;
}

constexpr uint32_t kNoId = ACL_UNDEFINED_ID;

// The kernel wants each once, in order.
template <typename Id>
void PutEntries(uint16_t tag, std::vector<Id> ids, std::string* acl) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const Id id : ids) PutEntry(tag, ACL_READ, id, acl);
}

}  // namespace

bool Sharing::Admits(uid_t uid, const std::vector<gid_t>& groups) const {
  if (std::find(uids.begin(), uids.end(), uid) != uids.end()) return true;
  return std::any_of(groups.begin(), groups.end(), [this](gid_t group) {
    return std::find(gids.begin(), gids.end(), group) != gids.end();
  });
}

std::string ReadersAcl(uid_t owner_uid, const Sharing& sharing) {
  std::vector<uid_t> uids = sharing.uids;
  uids.push_back(owner_uid);
  std::string acl = BeginAcl();
  PutEntry(ACL_USER_OBJ, ACL_READ, kNoId, &acl);
  PutEntries(ACL_USER, std::move(uids), &acl);
  PutEntry(ACL_GROUP_OBJ, 0, kNoId, &acl);
  PutEntries(ACL_GROUP, sharing.gids, &acl);
  PutEntry(ACL_MASK, ACL_READ, kNoId, &acl);
  PutEntry(ACL_OTHER, 0, kNoId, &acl);
  return acl;
}

std::string OwnersAcl() {
  std::string acl = BeginAcl();
  PutEntry(ACL_USER_OBJ, ACL_READ | ACL_WRITE, kNoId, &acl);
  PutEntry(ACL_GROUP_OBJ, 0, kNoId, &acl);
  PutEntry(ACL_OTHER, 0, kNoId, &acl);
  return acl;
}

}  // namespace warmpool
