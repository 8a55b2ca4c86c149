// ChannelLeases: a channel's buffers at the daemon: leased, attached to,
// mapped.
//
// Thread-safe. Waits for the daemon.
#ifndef WARMPOOL_CLIENT_CHANNELS_CHANNEL_LEASES_H_
#define WARMPOOL_CLIENT_CHANNELS_CHANNEL_LEASES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "client/leases/lease_source.h"
#include "client/leases/mapped_lease.h"
#include "core/base/random_id.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

class ChannelLeases {
 public:
  // `calls` must outlive it.
  ChannelLeases(std::string channel, std::shared_ptr<LeaseSource> source,
                SystemCalls* calls);

  // A new buffer of the channel. Where the machine is full, the daemon is asked
  // again after `give_back`. UNIMPLEMENTED: the daemon has no channels.
  absl::StatusOr<std::unique_ptr<MappedLease>> Make(
      uint64_t bytes, LeaseSource::GiveBack give_back) const;

  // The buffer that another member made. NOT_FOUND: it was set aside or ended.
  absl::StatusOr<std::unique_ptr<MappedLease>> Attach(const RandomId& id) const;

  // The leases on each buffer of the channel, by its name.
  absl::StatusOr<LeaseSource::LeasesByBuffer> List() const;

 private:
  // Attached to, mapped, and still there after that.
  absl::StatusOr<std::unique_ptr<MappedLease>> TryAttach(
      const RandomId& id) const;

  const std::string channel_;
  const std::shared_ptr<LeaseSource> source_;
  SystemCalls& calls_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CHANNELS_CHANNEL_LEASES_H_
