#include "core/pool/listings.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "core/base/mutex.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// About 200 ns each.
constexpr size_t kHoldersAtOnce = 256;
constexpr size_t kUnheldAtOnce = 256;

bool IsLarger(const UnheldLease& a, const UnheldLease& b) {
  return std::make_tuple(b.bytes, a.uid, a.buffer_name) <
         std::make_tuple(a.bytes, b.uid, b.buffer_name);
}

}  // namespace

absl::StatusOr<BufferPage> Listings::List(HolderId holder,
                                          const BufferFilter& filter,
                                          size_t page_size,
                                          const std::string& page_token) const {
  MutexLock lock(&book_.mutex);
  ASSIGN_OR_RETURN(const Holder* const caller, book_.FindHolder(holder));
  return ListBuffers(book_.table, *caller, filter, page_size, page_token,
                     book_.clock.Now());
}

std::vector<BufferListing> Listings::ListAll(size_t most_leases) const {
  Holder everyone;
  everyone.admin = true;
  std::vector<BufferListing> all;
  size_t leases = 0;
  for (std::string token;;) {
    BufferPage page;
    {
      MutexLock lock(&book_.mutex);
      page = *ListBuffers(book_.table, everyone, BufferFilter(), SIZE_MAX,
                          token, book_.clock.Now());
    }
    for (const BufferListing& buffer : page.buffers) {
      leases += buffer.leases.size();
    }
    std::move(page.buffers.begin(), page.buffers.end(),
              std::back_inserter(all));
    token = std::move(page.next_page_token);
    if (token.empty() || leases >= most_leases) return all;
    Yield();
  }
}

std::vector<UnheldLease> Listings::UnheldLeases(std::optional<uid_t> uid,
                                                size_t most) const {
  std::vector<UnheldLease> unheld;
  LeasePlace after;
  after.uid = uid.value_or(0);
  for (bool more = true; more;) {
    {
      MutexLock lock(&book_.mutex);
      more = AddUnheld(uid, &after, &unheld);
    }
    if (unheld.size() > most) {
      std::nth_element(unheld.begin(), unheld.begin() + most, unheld.end(),
                       IsLarger);
      unheld.resize(most);
    }
    if (more) Yield();
  }
  std::sort(unheld.begin(), unheld.end(), IsLarger);
  return unheld;
}

bool Listings::AddUnheld(std::optional<uid_t> uid, LeasePlace* after,
                         std::vector<UnheldLease>* unheld) const {
  const absl::Time now = book_.clock.Now();
  const std::vector<LeaseId> ids = book_.table.holders().LeasesOf(
      LeaseBook::kPoolHolder, kUnheldAtOnce, *after);
  for (const LeaseId& id : ids) {
    const LeaseTable::Lease& lease = book_.table.LeaseOf(id);
    const LeaseTable::Buffer& buffer = *lease.buffer;
    if (uid.has_value() && buffer.uid != *uid) return false;
    unheld->push_back(
        {.buffer_name = buffer.name,
         .uid = buffer.uid,
         .is_ticket = lease.kind == LeaseKind::kTicket,
         .bytes = buffer.segment.bytes(),
         .maker = lease.maker == nullptr ? Process() : *lease.maker,
         .ttl_left = std::max(lease.expires_at - now, absl::ZeroDuration())});
  }
  if (!ids.empty()) *after = book_.table.PlaceOf(ids.back());
  return ids.size() == kUnheldAtOnce;
}

std::vector<HolderUsage> Listings::HolderUsages() const {
  std::vector<HolderUsage> usages;
  HolderId after = 0;
  for (bool more = true; more;) {
    {
      MutexLock lock(&book_.mutex);
      more = book_.table.holders().AddUsages(kHoldersAtOnce, &after, &usages);
    }
    if (more) Yield();
  }
  std::erase_if(usages, [](const HolderUsage& usage) {
    return usage.holder.id == LeaseBook::kPoolHolder;
  });
  return usages;
}

}  // namespace warmpool
