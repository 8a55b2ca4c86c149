// Who has what. Each hold of the lock looks at so many and no more, however many
// there are.
#include <iterator>
#include <utility>

#include "core/pool/pool.h"

namespace warmpool {
namespace {

// Some 200 ns each.
constexpr size_t kHoldersAtOnce = 256;

}  // namespace

absl::StatusOr<BufferPage> Pool::List(HolderId holder,
                                      const BufferFilter& filter,
                                      size_t page_size,
                                      const std::string& page_token) const {
  MutexLock lock(&mutex_);
  const Holder* const caller = table_.FindHolder(holder);
  if (caller == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  return ListBuffers(table_, *caller, filter, page_size, page_token,
                     clock_.Now());
}

std::vector<BufferListing> Pool::ListAll(size_t most_leases) const {
  Holder everyone;
  everyone.admin = true;
  std::vector<BufferListing> all;
  size_t leases = 0;
  for (std::string token;;) {
    BufferPage page;
    {
      MutexLock lock(&mutex_);
      page = *ListBuffers(table_, everyone, BufferFilter(), SIZE_MAX, token,
                          clock_.Now());
    }
    for (const BufferListing& buffer : page.buffers) {
      leases += buffer.leases.size();
    }
    std::move(page.buffers.begin(), page.buffers.end(),
              std::back_inserter(all));
    token = std::move(page.next_page_token);
    if (token.empty() || leases >= most_leases) return all;
    GiveWay();
  }
}

std::vector<HolderUsage> Pool::HolderUsages() const {
  std::vector<HolderUsage> usages;
  HolderId after = 0;
  for (bool more = true; more;) {
    {
      MutexLock lock(&mutex_);
      more = table_.AddUsages(kHoldersAtOnce, &after, &usages);
    }
    if (more) GiveWay();
  }
  std::erase_if(usages, [](const HolderUsage& usage) {
    return usage.holder.id == kPoolHolder;
  });
  return usages;
}

}  // namespace warmpool
