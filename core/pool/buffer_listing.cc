#include "core/pool/buffer_listing.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

using Key = LeaseTable::BuffersByName::key_type;

// A page token is the key to go on from.
std::string TokenOf(const Key& key) {
  return absl::StrCat(key.second, ":", key.first);
}

absl::StatusOr<Key> KeyOf(const std::string& token) {
  const size_t colon = token.find(':');
  uint32_t uid = 0;
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(token.substr(0, colon), &uid)) {
    return absl::InvalidArgumentError(
        absl::StrCat("page token \"", absl::CHexEscape(token),
                     "\" is none that this daemon gave"));
  }
  return Key(token.substr(colon + 1), uid);
}

// Whether the filter lets a buffer with these leases pass.
bool LeasesPass(const BufferFilter& filter, const BufferListing& listing) {
  const auto any = [&listing](const auto& matches) {
    return std::any_of(listing.leases.begin(), listing.leases.end(), matches);
  };
  if (filter.holder_pid != 0 && !any([&filter](const auto& lease) {
        return lease.holder.pid == filter.holder_pid;
      })) {
    return false;
  }
  return !filter.client.has_value() || any([&filter](const auto& lease) {
    return lease.client_id == *filter.client;
  });
}

BufferListing ListingOf(const LeaseTable& table,
                        const LeaseTable::Buffer& buffer, absl::Time now) {
  BufferListing listing;
  listing.name = buffer.name;
  listing.uid = buffer.uid;
  listing.bytes = buffer.bytes;
  listing.segment_bytes = buffer.segment.bytes();
  listing.generation = buffer.generation;
  listing.file_name = buffer.segment.file_name();
  listing.age = now - buffer.granted_at;
  for (const LeaseId& id : buffer.leases) {
    const LeaseTable::Lease& lease = table.LeaseOf(id);
    const bool expires = lease.expires_at != absl::InfiniteFuture();
    listing.leases.push_back(
        {id, lease.request_id, lease.client_id,
         *table.FindHolder(lease.holder), now - lease.granted_at,
         // Past its time but not yet ended: zero would say that it never ends.
         expires ? std::max(lease.expires_at - now, absl::Nanoseconds(1))
                 : absl::ZeroDuration(),
         lease.access});
  }
  return listing;
}

}  // namespace

absl::StatusOr<BufferPage> ListBuffers(const LeaseTable& table,
                                       const Holder& caller,
                                       const BufferFilter& filter,
                                       size_t page_size,
                                       const std::string& page_token,
                                       absl::Time now) {
  Key first(filter.name_prefix, 0);
  if (!page_token.empty()) {
    absl::StatusOr<Key> key = KeyOf(page_token);
    if (!key.ok()) return key.status();
    first = *std::move(key);
  }
  BufferPage page;
  for (auto it = table.buffers().lower_bound(first);
       it != table.buffers().end() &&
       absl::StartsWith(it->first.first, filter.name_prefix);
       ++it) {
    const LeaseTable::Buffer* const buffer = it->second.get();
    if (buffer == nullptr) continue;
    if (!caller.admin && buffer->uid != caller.uid) continue;
    if (filter.uid.has_value() && buffer->uid != *filter.uid) continue;
    BufferListing listing = ListingOf(table, *buffer, now);
    if (!LeasesPass(filter, listing)) continue;
    if (page.buffers.size() == page_size) {
      page.next_page_token = TokenOf(it->first);
      break;
    }
    page.buffers.push_back(std::move(listing));
  }
  return page;
}

}  // namespace warmpool
