// Sharing: whom a sealed segment is for besides the uid that it belongs to.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_SHARING_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_SHARING_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace warmpool {

struct Sharing {
  // Of either kind. A record of the journal has room for them.
  static constexpr size_t kMax = 16;

  std::vector<uid_t> uids;
  std::vector<gid_t> gids;

  bool empty() const { return uids.empty() && gids.empty(); }
  // Whether a process of the uid, in these groups, is among them.
  bool Admits(uid_t uid, const std::vector<gid_t>& groups) const;

  friend bool operator==(const Sharing&, const Sharing&) = default;
};

// The value of the attribute system.posix_acl_access (acl(5), and
// linux/posix_acl_xattr.h) of a file that its owner and `owner_uid` may read,
// and so may those it is shared with; nobody else, and nobody may write.
std::string ReadersAcl(uid_t owner_uid, const Sharing& sharing);

// That of a file which its owner alone may read and write.
std::string OwnersAcl();

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_SHARING_H_
