#include "client/cli/listing.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

double ToSeconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) +
         1e-9 * static_cast<double>(duration.nanos());
}

cli::ListedLease MakeLease(const v1::BufferLease& lease) {
  cli::ListedLease listed;
  listed.set_lease_id(absl::BytesToHexString(lease.lease_id()));
  listed.set_pid(lease.pid());
  listed.set_uid(lease.uid());
  listed.set_command(lease.command());
  listed.set_age_seconds(ToSeconds(lease.age()));
  listed.set_ttl_left_seconds(ToSeconds(lease.ttl_left()));
  listed.set_access(lease.access() == v1::ACCESS_READ_ONLY ? "read_only"
                                                           : "writable");
  listed.set_state(
      lease.state() == v1::LEASE_STATE_RECOVERING ? "recovering" : "live");
  return listed;
}

std::string TtlText(double seconds) {
  return seconds == 0 ? "process" : FormatAge(absl::Seconds(seconds));
}

}  // namespace

cli::BufferListing MakeListing(const std::vector<v1::Buffer>& buffers) {
  cli::BufferListing listing;
  for (const v1::Buffer& buffer : buffers) {
    cli::ListedBuffer* const listed = listing.add_buffers();
    listed->set_name(buffer.name());
    listed->set_uid(buffer.uid());
    listed->set_size_bytes(buffer.size_bytes());
    listed->set_mapped_bytes(buffer.mapped_bytes());
    listed->set_generation(buffer.generation());
    listed->set_age_seconds(ToSeconds(buffer.age()));
    for (const v1::BufferLease& lease : buffer.leases()) {
      *listed->add_leases() = MakeLease(lease);
    }
  }
  return listing;
}

std::string ListingText(const cli::BufferListing& listing) {
  Table table("lrrrlrrlll");
  table.AddRow({"NAME", "SIZE", "UID", "PID", "COMMAND", "AGE", "TTL LEFT",
                "ACCESS", "STATE", "LEASE"});
  for (const cli::ListedBuffer& buffer : listing.buffers()) {
    for (const cli::ListedLease& lease : buffer.leases()) {
      table.AddRow({buffer.name(), FormatByteSize(buffer.size_bytes()),
                    absl::StrCat(lease.uid()), absl::StrCat(lease.pid()),
                    lease.command().empty() ? "?" : lease.command(),
                    FormatAge(absl::Seconds(lease.age_seconds())),
                    TtlText(lease.ttl_left_seconds()), lease.access(),
                    lease.state(), lease.lease_id()});
    }
  }
  return table.ToString();
}

}  // namespace warmpool
