// Admission: who may connect to this daemon, and who may command it. It goes
// by what the kernel says of the process that connected, never by anything
// that the process says of itself.
//
// An unprivileged daemon serves its own uid and root. A root daemon serves
// root and those it is told to. Admins are uid 0, the daemon's own uid and
// those named as such: they see and command all; everybody else their own.
#ifndef WARMPOOL_SERVER_CLIENTS_ADMISSION_H_
#define WARMPOOL_SERVER_CLIENTS_ADMISSION_H_

#include <sys/types.h>

#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/clients/socket_access.h"

namespace warmpool {

// Who a process was when it connected.
struct Credentials {
  uid_t uid = 0;
  // Its primary group and its supplementary ones.
  std::vector<gid_t> gids;
};

// Immutable.
class Admission {
 public:
  // Besides those who are always served.
  struct Options {
    absl::flat_hash_set<uid_t> allowed_uids = {};
    absl::flat_hash_set<gid_t> allowed_gids = {};
    absl::flat_hash_set<uid_t> admin_uids = {};
  };

  // INVALID_ARGUMENT, naming the flag: an unprivileged daemon is to serve
  // somebody else, whose segments it could not give to them.
  static absl::StatusOr<Admission> Create(uid_t daemon_uid,
                                          const Options& options);

  // PERMISSION_DENIED, saying who is served: one who is not.
  absl::Status Check(const Credentials& peer) const;
  bool IsAdmin(uid_t uid) const;

  // Whether processes other than root's and the daemon's own are served.
  bool ServesOthers() const;
  // Connecting takes the right to write to the socket's file. Where one group
  // is served, and nobody else, the file lets its members alone connect; where
  // uids are served too, or several groups, everybody may, and Check decides.
  SocketAccess socket_access() const;

 private:
  Admission(uid_t daemon_uid, const Options& options)
      : daemon_uid_(daemon_uid), options_(options) {}

  bool ServesOtherUids() const;

  uid_t daemon_uid_;
  Options options_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_ADMISSION_H_
