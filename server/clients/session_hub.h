// SessionHub: knows the open Sessions, so that notices find their holder, and
// what their clients keep idle.
#ifndef WARMPOOL_SERVER_CLIENTS_SESSION_HUB_H_
#define WARMPOOL_SERVER_CLIENTS_SESSION_HUB_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "core/base/mutex.h"
#include "core/lease/lease.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Thread-safe.
class SessionHub {
 public:
  class Session {
   public:
    // Under the hub's lock: it must be there until Detach.
    virtual void Keep() = 0;
    // Does not wait, but may make system calls. Called under no lock.
    virtual void SendNotice(const v1::SessionResponse& notice) = 0;
    virtual void Detach() = 0;

   protected:
    ~Session() = default;
  };

  void Add(HolderId holder, Session* session);
  // From here on it is not kept any more.
  void Remove(HolderId holder, Session* session);

  // Sends to all Sessions of a holder. One that has none is not told.
  void Notify(HolderId holder, const v1::SessionResponse& notice);
  void NotifyAll(const v1::SessionResponse& notice);

  // A Session's client keeps what `to` says idle, instead of `from`.
  void ChangeIdle(HolderId holder, const v1::IdleReport& from,
                  const v1::IdleReport& to);
  // Bytes of all Sessions together; of those by holder, and by the bytes of a
  // segment, where clients tell. What has none is not in it.
  uint64_t idle_bytes() const { return idle_bytes_; }
  using IdleByHolder = absl::flat_hash_map<HolderId, uint64_t>;
  IdleByHolder idle_by_holder() const;
  using IdleByClass = absl::flat_hash_map<uint64_t, uint64_t>;
  IdleByClass idle_by_class() const;

 private:
  static void Send(const std::vector<Session*>& kept,
                   const v1::SessionResponse& notice);

  std::atomic<uint64_t> idle_bytes_ = 0;

  mutable Mutex mutex_;
  IdleByHolder idle_by_holder_ ABSL_GUARDED_BY(mutex_);
  IdleByClass idle_by_class_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<HolderId, absl::flat_hash_set<Session*>> sessions_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_SESSION_HUB_H_
