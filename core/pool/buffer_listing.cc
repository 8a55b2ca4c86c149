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

// After the buffer that brings a page to this many leases no other follows: at
// some 100 bytes each, answers to clients of few attachments stay below 1 MiB.
constexpr size_t kMaxLeasesOnPage = 4000;

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

// Whether the filter lets a buffer with its leases pass.
bool LeasesPass(const BufferFilter& filter, const LeaseTable& table,
                const LeaseTable::Buffer& buffer) {
  const auto any = [&table, &buffer](const auto& matches) {
    return std::any_of(
        buffer.leases.begin(), buffer.leases.end(),
        [&](const LeaseId& id) { return matches(table.LeaseOf(id)); });
  };
  if (filter.holder_pid != 0 && !any([&](const LeaseTable::Lease& lease) {
        return table.FindHolder(lease.holder)->pid == filter.holder_pid;
      })) {
    return false;
  }
  return !filter.client.has_value() || any([&](const LeaseTable::Lease& lease) {
    return lease.client_id == *filter.client;
  });
}

// With `client`, only that client's leases.
BufferListing ListingOf(const LeaseTable& table,
                        const LeaseTable::Buffer& buffer,
                        const std::optional<ClientId>& client, absl::Time now) {
  BufferListing listing;
  listing.name = buffer.name;
  listing.uid = buffer.uid;
  listing.bytes = buffer.bytes;
  listing.segment_bytes = buffer.segment.bytes();
  listing.generation = buffer.generation;
  listing.sealed = buffer.sealed;
  listing.file_name = buffer.segment.file_name();
  listing.age = now - buffer.granted_at;
  for (const LeaseId& id : buffer.leases) {
    const LeaseTable::Lease& lease = table.LeaseOf(id);
    if (client.has_value() && lease.client_id != *client) continue;
    const bool expires = lease.expires_at != absl::InfiniteFuture();
    listing.leases.push_back(
        {id, lease.request_id, lease.client_id,
         *table.FindHolder(lease.holder), now - lease.granted_at,
         // Past its time but not yet ended: zero would say that it never ends.
         expires ? std::max(lease.expires_at - now, absl::Nanoseconds(1))
                 : absl::ZeroDuration(),
         lease.access, lease.state, lease.kind});
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
  size_t leases = 0;
  for (auto it = table.buffers().lower_bound(first);
       it != table.buffers().end() &&
       absl::StartsWith(it->first.first, filter.name_prefix);
       ++it) {
    const LeaseTable::Buffer* const buffer = it->second.get();
    if (buffer == nullptr || buffer->leases.empty()) continue;
    if (!caller.admin && buffer->uid != caller.uid) continue;
    if (filter.uid.has_value() && buffer->uid != *filter.uid) continue;
    if (!LeasesPass(filter, table, *buffer)) continue;
    if (page.buffers.size() == page_size || leases >= kMaxLeasesOnPage) {
      page.next_page_token = TokenOf(it->first);
      break;
    }
    page.buffers.push_back(ListingOf(table, *buffer, filter.client, now));
    leases += page.buffers.back().leases.size();
  }
  return page;
}

}  // namespace warmpool
