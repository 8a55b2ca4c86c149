#include "client/cli/listing.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/cli/figures.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

double ToSeconds(const google::protobuf::Duration& duration) {
  return absl::ToDoubleSeconds(ToDuration(duration));
}

const char* StateText(v1::LeaseState state) {
  switch (state) {
    case v1::LEASE_STATE_RECOVERING: return "recovering";
    case v1::LEASE_STATE_TICKET: return "ticket";
    case v1::LEASE_STATE_LINGERING: return "lingering";
    default: return "live";
  }
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
  listed.set_state(StateText(lease.state()));
  listed.set_maker_pid(lease.maker_pid());
  listed.set_maker_command(lease.maker_command());
  return listed;
}

// Processes' leases; those that the daemon does not tell are taken for such.
uint64_t AttachedTo(const v1::Buffer& buffer) {
  const uint64_t told = buffer.leases_size();
  const uint64_t nobodys = absl::c_count_if(
      buffer.leases(),
      [](const v1::BufferLease& lease) { return lease.pid() == 0; });
  return std::max<uint64_t>(buffer.total_leases(), told) - nobodys;
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

// Of whom the lease is; of one that no process has, who made it.
std::string CommandText(const cli::ListedLease& lease) {
  if (lease.pid() != 0) return lease.command().empty() ? "?" : lease.command();
  if (lease.maker_pid() == 0) return "-";
  return absl::StrCat("by ", lease.maker_command(), " (", lease.maker_pid(),
                      ")");
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
    listed->set_sealed(buffer.sealed());
    listed->set_attached(AttachedTo(buffer));
    for (const v1::BufferLease& lease : buffer.leases()) {
      *listed->add_leases() = MakeLease(lease);
    }
  }
  AddChannels(buffers, &listing);
  return listing;
}

std::optional<BufferOrder> BufferOrderNamed(absl::string_view name) {
  if (name == "name") return BufferOrder::kName;
  if (name == "size") return BufferOrder::kSize;
  if (name == "age") return BufferOrder::kAge;
  if (name == "attached") return BufferOrder::kAttached;
  if (name == "pid") return BufferOrder::kPid;
  if (name == "ttl") return BufferOrder::kTtl;
  return std::nullopt;
}

void SortBuffers(BufferOrder order, cli::BufferListing* listing) {
  const auto key = [order](const cli::ListedBuffer& buffer) -> double {
    switch (order) {
      case BufferOrder::kName: return 0;
      case BufferOrder::kSize:
        return -static_cast<double>(buffer.mapped_bytes());
      case BufferOrder::kAge: return -buffer.age_seconds();
      case BufferOrder::kAttached:
        return -static_cast<double>(buffer.attached());
      case BufferOrder::kPid:
        return buffer.leases().empty() ? 0 : buffer.leases(0).pid();
      case BufferOrder::kTtl: break;
    }
    double soonest = std::numeric_limits<double>::infinity();
    for (const cli::ListedLease& lease : buffer.leases()) {
      if (lease.ttl_left_seconds() == 0) continue;
      soonest = std::min(soonest, lease.ttl_left_seconds());
    }
    return soonest;
  };
  // They come by their uids.
  const auto place = [&key](const cli::ListedBuffer& buffer) {
    return std::make_tuple(key(buffer), absl::string_view(buffer.name()),
                           buffer.uid());
  };
  absl::c_sort(
      *listing->mutable_buffers(),
      [&place](const cli::ListedBuffer& a, const cli::ListedBuffer& b) {
        return place(a) < place(b);
      });
}

std::string ListingText(const cli::BufferListing& listing) {
  Table table("lrrrrrlrrlll");
  table.AddRow({"NAME", "SIZE", "CLASS", "ATTACHED", "UID", "PID", "COMMAND",
                "AGE", "TTL LEFT", "ACCESS", "STATE", "LEASE"});
  for (const cli::ListedBuffer& buffer : listing.buffers()) {
    for (const cli::ListedLease& lease : buffer.leases()) {
      const bool is_held = lease.pid() != 0;
      table.AddRow({buffer.name(), FormatByteSize(buffer.size_bytes()),
                    FormatByteSize(buffer.mapped_bytes()),
                    FormatCount(buffer.attached()), absl::StrCat(lease.uid()),
                    is_held ? absl::StrCat(lease.pid()) : "-",
                    CommandText(lease),
                    FormatAge(absl::Seconds(lease.age_seconds())),
                    TtlText(lease.ttl_left_seconds()), lease.access(),
                    buffer.sealed() && lease.state() == "live" ? "sealed"
                                                               : lease.state(),
                    lease.lease_id()});
    }
  }
  std::string text = table.ToString();
  if (listing.channels_size() > 0) {
    absl::StrAppend(&text, "\n", ChannelsText(listing));
  }
  return text;
}

}  // namespace warmpool
