#include "core/book/buffer_listing.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

using Key = LeaseTable::BuffersByName::key_type;
using LeasesByBuffer = LeasesByBuffer;

// Where a listing continues: at a buffer and, with a client filter, at one of
// the client's leases on it.
struct Place {
  Key buffer;
  LeaseId lease;
};

// "UID:NAME", or "UID:LEASE:NAME" with the lease id in hex. No name starts with
// so many digits and a colon.
std::string TokenOf(const Place& place) {
  const auto& [uid, name] = place.buffer;
  if (place.lease == LeaseId()) return absl::StrCat(uid, ":", name);
  return absl::StrCat(uid, ":", place.lease.ToHex(), ":", name);
}

absl::StatusOr<Place> PlaceOf(const std::string& token) {
  Place place;
  auto& [uid, name] = place.buffer;
  const size_t colon = token.find(':');
  if (colon == std::string::npos ||
      !absl::SimpleAtoi(token.substr(0, colon), &uid)) {
    return absl::InvalidArgumentError(
        absl::StrCat("page token \"", absl::CHexEscape(token),
                     "\" is none that this daemon gave"));
  }
  name = token.substr(colon + 1);
  constexpr size_t kHexDigits = 2 * LeaseId::kBytes;
  if (name.size() > kHexDigits && name[kHexDigits] == ':') {
    const std::optional<LeaseId> lease =
        LeaseId::FromHex(absl::string_view(name).substr(0, kHexDigits));
    if (lease.has_value()) {
      place.lease = *lease;
      name.erase(0, kHexDigits + 1);
    }
  }
  return place;
}

// The first and the last uid that the caller may see and asks for.
std::optional<std::pair<uid_t, uid_t>> UidsOf(const Holder& caller,
                                              const BufferFilter& filter) {
  if (!caller.admin && filter.uid.value_or(caller.uid) != caller.uid) {
    return std::nullopt;
  }
  if (!caller.admin) return std::make_pair(caller.uid, caller.uid);
  if (filter.uid.has_value()) return std::make_pair(*filter.uid, *filter.uid);
  return std::make_pair(uid_t{0}, std::numeric_limits<uid_t>::max());
}

// The buffers of a process and of a client, in the order of the listing.
class Candidates {
 public:
  Candidates(const LeaseTable& table, const BufferFilter& filter)
      : table_(table) {
    if (filter.holder_pid != 0) {
      wanted_.push_back(table.holders().LeasesOfPid(filter.holder_pid));
    }
    if (filter.client.has_value()) {
      const LeasesByBuffer* const leases = table.LeasesOfClient(*filter.client);
      wanted_.emplace_back();
      if (leases != nullptr) wanted_.back().push_back(leases);
    }
    for (const auto& any : wanted_) cost_ += any.size();
  }

  struct Next {
    Key key;
    // False: the next match is at `key` or after it.
    bool fits = false;
    // Null: it has no lease yet, or does not match.
    const LeaseTable::Buffer* buffer = nullptr;
  };
  // The next match, from `key` on. nullopt: there is none.
  std::optional<Next> From(const Key& key) const {
    if (wanted_.empty()) {
      const auto it = table_.buffers().lower_bound(key);
      if (it == table_.buffers().end()) return std::nullopt;
      return Next{it->first, true, it->second.get()};
    }
    std::optional<Next> next;
    for (const auto& any : wanted_) {
      std::optional<Key> first = FirstOfAny(any, key);
      if (!first.has_value()) return std::nullopt;
      if (!next.has_value()) {
        next = Next{*std::move(first), true, nullptr};
      } else if (*first != next->key) {
        next = Next{std::max(*std::move(first), next->key), false, nullptr};
      }
    }
    if (next->fits) {
      next->buffer = table_.FindBuffer(next->key.first, next->key.second);
    }
    return next;
  }

  // The entries that From examines.
  size_t cost() const { return std::max<size_t>(cost_, 1); }

 private:
  static std::optional<Key> FirstOfAny(
      const std::vector<const LeasesByBuffer*>& any, const Key& key) {
    std::optional<Key> first;
    for (const LeasesByBuffer* const leases : any) {
      const auto it = leases->lower_bound({key.first, key.second, LeaseId()});
      if (it == leases->end()) continue;
      Key found(std::get<0>(*it), std::string(std::get<1>(*it)));
      if (!first.has_value() || found < *first) first = std::move(found);
    }
    return first;
  }

  const LeaseTable& table_;
  // A buffer matches if it is in at least one set of each.
  std::vector<std::vector<const LeasesByBuffer*>> wanted_;
  size_t cost_ = 0;
};

class Lister {
 public:
  Lister(const LeaseTable& table, const BufferFilter& filter, absl::Time now)
      : table_(table), filter_(filter), now_(now), candidates_(table, filter) {}

  // From the position to the last uid.
  BufferPage Page(Place place, uid_t last_uid, size_t page_size) {
    BufferPage page;
    const std::optional<Place> left =
        Fill(std::move(place), last_uid, page_size, &page);
    if (left.has_value()) page.next_page_token = TokenOf(*left);
    page.looks = looks_;
    return page;
  }

 private:
  // Where the next page begins. nullopt: this is the last page.
  std::optional<Place> Fill(Place place, uid_t last_uid, size_t page_size,
                            BufferPage* page) {
    const std::string& prefix = filter_.name_prefix;
    for (;;) {
      std::optional<Candidates::Next> next = candidates_.From(place.buffer);
      if (!next.has_value() || next->key.first > last_uid) return std::nullopt;
      if (next->key != place.buffer) place = {std::move(next->key), LeaseId()};
      const auto& [uid, name] = place.buffer;
      const bool has_prefix = absl::StartsWith(name, prefix);
      if (looks_ >= kMostLooks ||
          (page->buffers.size() >= page_size && next->fits && has_prefix)) {
        return place;
      }
      looks_ += candidates_.cost();
      if (!has_prefix) {
        // After all buffers of this uid with the prefix, or before them.
        const bool behind = name > prefix;
        if (behind && uid == last_uid) return std::nullopt;
        place = {{behind ? uid + 1 : uid, prefix}, LeaseId()};
        continue;
      }
      if (!next->fits) continue;
      if (next->buffer != nullptr) {
        const LeaseId more = Add(*next->buffer, place.lease, page);
        if (more != LeaseId()) return Place{place.buffer, more};
      }
      place = {{uid, absl::StrCat(name, absl::string_view("\0", 1))},
               LeaseId()};
    }
  }

  // The lease to continue from, if the buffer has more leases to list.
  LeaseId Add(const LeaseTable::Buffer& buffer, const LeaseId& from,
              BufferPage* page) {
    BufferListing listing = WithoutLeases(buffer);
    LeaseId more;
    if (filter_.client.has_value()) {
      more = AddOfClient(buffer, from, &listing);
    } else {
      AddSome(buffer, &listing);
    }
    if (!listing.leases.empty()) page->buffers.push_back(std::move(listing));
    return more;
  }

  BufferListing WithoutLeases(const LeaseTable::Buffer& buffer) const {
    BufferListing listing;
    listing.name = buffer.name;
    listing.uid = buffer.uid;
    listing.bytes = buffer.bytes;
    listing.segment_bytes = buffer.segment.bytes();
    listing.generation = buffer.generation;
    listing.sealed = buffer.sealed;
    listing.file_name = buffer.segment.file_name();
    listing.age = now_ - buffer.granted_at;
    listing.total_leases = buffer.leases.size();
    return listing;
  }

  LeaseId AddOfClient(const LeaseTable::Buffer& buffer, const LeaseId& from,
                      BufferListing* listing) {
    const LeasesByBuffer& leases = *table_.LeasesOfClient(*filter_.client);
    for (auto it = leases.lower_bound({buffer.uid, buffer.name, from});
         it != leases.end() && IsOn(*it, buffer); ++it) {
      const LeaseId& id = std::get<LeaseId>(*it);
      // At least one, so that every page makes progress.
      if (looks_ >= kMostLooks && !listing->leases.empty()) return id;
      AddLease(id, listing);
    }
    return LeaseId();
  }

  void AddSome(const LeaseTable::Buffer& buffer, BufferListing* listing) {
    const auto is_full = [listing] {
      return listing->leases.size() >= kMostLeasesShown;
    };
    if (filter_.holder_pid != 0) {
      for (const LeasesByBuffer* const leases :
           table_.holders().LeasesOfPid(filter_.holder_pid)) {
        for (auto it =
                 leases->lower_bound({buffer.uid, buffer.name, LeaseId()});
             it != leases->end() && IsOn(*it, buffer) && !is_full(); ++it) {
          AddLease(std::get<LeaseId>(*it), listing);
        }
      }
    }
    for (auto it = buffer.leases.begin();
         it != buffer.leases.end() && !is_full(); ++it) {
      // These leases are listed already.
      if (filter_.holder_pid == 0 || PidOf(*it) != filter_.holder_pid) {
        AddLease(*it, listing);
      }
    }
  }

  static bool IsOn(const LeasesByBuffer::value_type& lease,
                   const LeaseTable::Buffer& buffer) {
    return std::get<0>(lease) == buffer.uid &&
           std::get<1>(lease) == buffer.name;
  }

  pid_t PidOf(const LeaseId& id) const {
    return table_.holders().Find(table_.LeaseOf(id).holder)->pid;
  }

  void AddLease(const LeaseId& id, BufferListing* listing) {
    ++looks_;
    const LeaseTable::Lease& lease = table_.LeaseOf(id);
    const bool expires = lease.expires_at != absl::InfiniteFuture();
    listing->leases.push_back(
        {id, lease.request_id, lease.client_id,
         *table_.holders().Find(lease.holder), now_ - lease.granted_at,
         // The time to live is over, but the lease has not ended yet. Zero
         // would mean that it never ends.
         expires ? std::max(lease.expires_at - now_, absl::Nanoseconds(1))
                 : absl::ZeroDuration(),
         lease.access, lease.state, lease.kind, lease.maker});
  }

  const LeaseTable& table_;
  const BufferFilter& filter_;
  const absl::Time now_;
  const Candidates candidates_;
  // So far.
  size_t looks_ = 0;
};

}  // namespace

absl::StatusOr<BufferPage> ListBuffers(
    const LeaseTable& table, const Holder& caller, const BufferFilter& filter,
    size_t page_size, const std::string& page_token, absl::Time now) {
  Place place;
  if (!page_token.empty()) {
    absl::StatusOr<Place> told = PlaceOf(page_token);
    if (!told.ok()) return told.status();
    place = *std::move(told);
  }
  const auto uids = UidsOf(caller, filter);
  if (!uids.has_value()) return BufferPage();
  const auto& [first_uid, last_uid] = *uids;
  // Whatever the token says: no caller examines buffers that it may not see.
  const Key first(first_uid, filter.name_prefix);
  if (place.buffer < first) place = {first, LeaseId()};
  return Lister(table, filter, now).Page(std::move(place), last_uid, page_size);
}

}  // namespace warmpool
