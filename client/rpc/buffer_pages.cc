#include "client/rpc/buffer_pages.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

// The most that the daemon gives; it keeps answers under 1 MiB by itself.
constexpr uint32_t kBuffersPerPage = 1000;

bool IsSame(const v1::Buffer& one, const v1::Buffer& other) {
  // A later one may have the name of one that has ended.
  return one.name() == other.name() && one.uid() == other.uid() &&
         one.generation() == other.generation();
}

// A lease may be in both, where the list changed between two pages.
void AddLeases(v1::Buffer from, v1::Buffer* to) {
  absl::flat_hash_set<std::string> known;
  for (const v1::BufferLease& lease : to->leases()) {
    known.insert(lease.lease_id());
  }
  for (v1::BufferLease& lease : *from.mutable_leases()) {
    // A ticket has no id to be known by.
    if (!lease.lease_id().empty() && known.contains(lease.lease_id())) continue;
    *to->add_leases() = std::move(lease);
  }
}

}  // namespace

absl::Status ForEachListed(v1::ListBuffersRequest filter, AskForPage ask,
                           absl::FunctionRef<void(v1::Buffer)> on_buffer) {
  filter.set_page_size(kBuffersPerPage);
  filter.clear_page_token();
  for (;;) {
    ASSIGN_OR_RETURN(v1::ListBuffersResponse page, ask(filter));
    for (v1::Buffer& buffer : *page.mutable_buffers()) {
      on_buffer(std::move(buffer));
    }
    if (page.next_page_token().empty()) return absl::OkStatus();
    // It would be asked for without end.
    if (page.next_page_token() == filter.page_token()) {
      return absl::InternalError(absl::StrCat(
          "the daemon's page \"", absl::CHexEscape(filter.page_token()),
          "\" of a list of buffers is followed by itself: ask again, and "
          "report "
          "this if it stays"));
    }
    filter.set_page_token(page.next_page_token());
  }
}

absl::StatusOr<std::vector<v1::Buffer>> ListAll(v1::ListBuffersRequest filter,
                                                AskForPage ask) {
  std::vector<v1::Buffer> buffers;
  const absl::Status listed =
      ForEachListed(std::move(filter), ask, [&](v1::Buffer buffer) {
        if (!buffers.empty() && IsSame(buffers.back(), buffer)) {
          AddLeases(std::move(buffer), &buffers.back());
        } else {
          buffers.push_back(std::move(buffer));
        }
      });
  if (!listed.ok()) return listed;
  return buffers;
}

}  // namespace warmpool
