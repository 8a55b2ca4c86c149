#include "client/cli/listing.h"

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

// Each once, in the order of their uids and names.
void AddChannels(const std::vector<v1::Buffer>& buffers,
                 cli::BufferListing* listing) {
  struct Channel {
    std::set<int32_t> members;
    uint64_t buffers = 0;
    uint64_t mapped_bytes = 0;
  };
  std::map<std::pair<uint32_t, std::string>, Channel> channels;
  for (const v1::Buffer& buffer : buffers) {
    if (buffer.channel().empty()) continue;
    Channel& channel = channels[{buffer.uid(), buffer.channel()}];
    ++channel.buffers;
    channel.mapped_bytes += buffer.mapped_bytes();
    for (const v1::BufferLease& lease : buffer.leases()) {
      if (lease.pid() != 0) channel.members.insert(lease.pid());
    }
  }
  for (const auto& [key, channel] : channels) {
    cli::ListedChannel* const listed = listing->add_channels();
    listed->set_uid(key.first);
    listed->set_name(key.second);
    listed->mutable_member_pids()->Add(channel.members.begin(),
                                       channel.members.end());
    listed->set_buffers(channel.buffers);
    listed->set_mapped_bytes(channel.mapped_bytes);
  }
}

std::string ChannelsText(const cli::BufferListing& listing) {
  Table table("lrrrl");
  table.AddRow({"CHANNEL", "UID", "BUFFERS", "SIZE", "MEMBERS"});
  for (const cli::ListedChannel& channel : listing.channels()) {
    table.AddRow({channel.name(), absl::StrCat(channel.uid()),
                  FormatCount(channel.buffers()),
                  FormatByteSize(channel.mapped_bytes()),
                  absl::StrJoin(channel.member_pids(), " ")});
  }
  return table.ToString();
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
    listed->set_channel(buffer.channel());
    for (const v1::BufferLease& lease : buffer.leases()) {
      *listed->add_leases() = MakeLease(lease);
    }
  }
  AddChannels(buffers, &listing);
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
  std::string text = table.ToString();
  if (listing.channels_size() > 0) {
    absl::StrAppend(&text, "\n", ChannelsText(listing));
  }
  return text;
}

}  // namespace warmpool
