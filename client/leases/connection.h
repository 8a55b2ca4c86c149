// Connection: a client's leases at the daemon, over one Session. Makes request
// ids, keeps leases renewed, and keeps them over a restart of the daemon: see
// Reconciliation.
//
// Every call waits for the daemon, should it be away (starting, restarting),
// until its deadline. A call that loses the connection is made again: Lease and
// Attach repeat their request id, which gets the same lease again.
//
// Shared by the Client and its Buffers. Thread-safe.
//
// In a process forked from the one that opened it, every call returns
// FAILED_PRECONDITION and touches neither gRPC nor a lock, and the last
// reference leaves the object as it is: gRPC's threads were not forked, and
// the leases are the parent's.
#ifndef WARMPOOL_CLIENT_LEASES_CONNECTION_H_
#define WARMPOOL_CLIENT_LEASES_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/leases/known_leases.h"
#include "client/leases/lease_renewer.h"
#include "client/leases/lease_source.h"
#include "client/leases/reconciler.h"
#include "client/leases/reconciliation.h"
#include "client/leases/renewal_calls.h"
#include "client/rpc/attach_calls.h"
#include "client/rpc/daemon_channel.h"
#include "client/rpc/local_channel.h"
#include "client/rpc/local_socket.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class Connection final : public LeaseSource {
 public:
  struct Options {
    // Of every call.
    absl::Duration deadline = absl::Seconds(10);
    // Whether leases with a finite time to live are renewed.
    bool renew_leases = true;
    // See SessionStream::Options.
    absl::Duration busy_poll = absl::ZeroDuration();
    TrustedPeers trusted = {};
    MappingScope mapping_scope = {};
  };

  // What the daemon asks for with TrimNotice. Called on a thread of the library
  // or one that waits for an answer: must not take long.
  using TrimFunction = std::function<void(uint64_t wanted_bytes)>;

  // Returns once connected. INVALID_ARGUMENT: `target` is not "unix:PATH" or
  // "unix:///PATH". UNAVAILABLE: nobody answered within the deadline; the
  // message tells what is at PATH. PERMISSION_DENIED: who listens there is not
  // trusted. RESOURCE_EXHAUSTED: too few threads are left for the library and
  // gRPC; the message names the limit.
  static absl::StatusOr<std::shared_ptr<Connection>> Open(
      const std::string& target, const Options& options);

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The errors of all calls are those of the RPC and of DaemonChannel::Call.

  // The ids of request and client are filled in here, and the lease is kept
  // renewed until its release. Should there be no answer, what the daemon
  // grants is released as soon as it answers again.
  using LeaseSource::Lease;
  absl::StatusOr<HeldLease> Lease(v1::LeaseRequest request,
                                  GiveBack give_back) override;
  // One that waits has so much longer than the deadline.
  absl::StatusOr<HeldLease> Attach(v1::AttachRequest request) override;
  // The same for who does not sleep meanwhile: `done` is called on a thread of
  // gRPC's, maybe at once, and must not let go of the connection.
  void AttachAsync(v1::AttachRequest request,
                   std::function<void(absl::StatusOr<HeldLease>)> done);
  // Calls those back that still wait; CANCELLED. So are later ones.
  void EndAttachThens();
  absl::StatusOr<HeldLease> Claim(v1::ClaimRequest request) override;
  std::vector<HeldLease> LeaseAhead(uint64_t bytes, size_t count) override;

  // While the daemon is silent (has not answered the last call), releases do
  // not wait for it: a process that drops a thousand buffers must not wait a
  // thousand deadlines. A release that has no answer is made up for as soon as
  // the daemon answers again. A lease that the daemon does not know any more,
  // because it started anew, counts as released.
  absl::Status Release(const v1::GrantedLease& lease) override;
  void ReleaseLater(const std::vector<v1::LeaseRef>& leases) override;

  // Gives the lease the time to live that it was granted, from this moment on.
  // Of a lease that the daemon said has ended: what it said.
  absl::Status Renew(const v1::GrantedLease& lease) override;

  absl::StatusOr<LeasesByBuffer> LeasesOn(
      const std::string& name_prefix) override;

  absl::Status Seal(const v1::GrantedLease& lease,
                    v1::SealRequest request) override;
  // Where there is no answer, the lease is given back as a forgotten one is,
  // unless it has become a ticket: that expires.
  absl::Status MakeTicket(const v1::GrantedLease& lease,
                          v1::MakeTicketRequest request) override;
  absl::Status TellSize(const v1::GrantedLease& lease,
                        uint64_t size_bytes) override;

  void ReportIdle(const v1::IdleReport& idle) override;
  uid_t daemon_uid() const override { return channel_.daemon_uid(); }
  MappingScope mapping_scope() const override { return options_.mapping_scope; }
  // `trim` is called from here on; null: it is not called any more, nor is a
  // call of it under way.
  void OnTrim(TrimFunction trim);

 private:
  using Effort = DaemonChannel::Effort;
  using Outcomes = RenewalCalls::Outcomes;

  Connection(const std::string& target, const std::string& socket_path,
             const Options& options);
  static Connection* Make(const std::string& target,
                          const std::string& socket_path,
                          const Options& options);
  // Gets all threads that calls will need.
  absl::Status Prepare();
  // Waits for what is under way in the background. Private: see Open.
  ~Connection() override;

  Effort FullEffort() const { return {.deadline = options_.deadline}; }
  // For calls that are worth no waiting for a daemon that is not there.
  Effort SmallEffort() const;

  // Makes the call, and tells the reconciler of a lost connection.
  absl::StatusOr<v1::SessionReply> CallInSession(
      const v1::SessionRequest& request, Effort* effort);
  // `part` is the part of `request` that asks for a lease.
  template <typename Part>
  absl::StatusOr<HeldLease> CallForLease(const v1::SessionRequest& request,
                                         Part* part, Effort* effort);
  // What a request for a lease begins and, without a grant, ends with. The
  // former returns its id.
  std::string BeginForLease();
  void RecordNoGrant(const std::string& request_id, bool answered);
  // Makes known what was granted, and keeps it renewed.
  HeldLease Hold(const std::string& request_id, v1::GrantedLease granted,
                 absl::Time asked);
  absl::Status ReleaseOne(v1::ReleaseRequest request, Effort* effort);
  void OnNotice(const v1::SessionResponse& notice);
  void OnSessionLost();
  // What the keeper calls.
  absl::StatusOr<Outcomes> RenewForKeeper(
      const std::vector<LeaseRenewer::Renewal>& renewals);

  void KeepRenewed(const v1::GrantedLease& lease, absl::Duration ttl,
                   absl::Time asked);

  // The first: gRPC may go with the last member of a connection.
  const GrpcUse grpc_use_;
  const Options options_;
  // Of requests. Not used in a forked child.
  BatchedRandom random_;
  // 16 raw bytes.
  const std::string client_id_;
  DaemonChannel channel_;
  KnownLeases known_;
  RenewalCalls renewals_;
  Reconciliation reconciliation_;
  Reconciler reconciler_;

  // Its thread calls RenewForKeeper.
  LeaseRenewer keeper_;

  AttachCalls attach_calls_;

  Mutex trim_mutex_;
  TrimFunction trim_ ABSL_GUARDED_BY(trim_mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_CONNECTION_H_
