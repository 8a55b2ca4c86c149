#include "client/channels/channel_table.h"

#include <algorithm>
#include <iterator>

namespace warmpool {

using Where = ChannelSegment::Where;

ChannelSegment* ChannelTable::Find(const RandomId& id) {
  const auto found = segments_.find(id);
  return found == segments_.end() ? nullptr : found->second.get();
}

ChannelSegment* ChannelTable::Add(const ChannelToken& token,
                                  std::unique_ptr<MappedLease> lease,
                                  uint64_t made_bytes) {
  auto segment = std::make_unique<ChannelSegment>();
  segment->id = token.id;
  segment->lease = std::move(lease);
  segment->round = token.round;
  segment->size = token.size;
  segment->made_bytes = made_bytes;
  return segments_.emplace(token.id, std::move(segment)).first->second.get();
}

ChannelSegment* ChannelTable::TakeFree(SizeClass size_class) {
  const auto list = free_.find(size_class);
  if (list == free_.end()) return nullptr;
  const auto fit = std::find_if(
      list->second.rbegin(), list->second.rend(),
      [](const ChannelSegment* free) { return !free->lease->has_ended(); });
  // What was set aside, the member's Tick lets go of.
  if (fit == list->second.rend()) return nullptr;
  ChannelSegment* const segment = *fit;
  list->second.erase(std::next(fit).base());
  segment->where = Where::kInUse;
  return segment;
}

void ChannelTable::PutFree(ChannelSegment* segment, absl::Time now) {
  segment->where = Where::kFree;
  segment->free_since = now;
  free_[segment->lease->size_class()].push_back(segment);
}

ChannelTable::Leaving ChannelTable::Remove(ChannelSegment* segment) {
  if (segment->where == Where::kFree) {
    std::vector<ChannelSegment*>& list = free_[segment->lease->size_class()];
    list.erase(std::find(list.begin(), list.end(), segment));
  }
  if (segment->made_bytes > 0) budget_.GiveBack(segment->made_bytes);
  // Who has it ends it for all; what is away is another's to end.
  Leaving leaving{std::move(segment->lease),
                  /*for_all_members=*/segment->where != Where::kAway};
  segments_.erase(segment->id);
  return leaving;
}

std::vector<ChannelTable::Leaving> ChannelTable::RemoveIf(Predicate predicate) {
  std::vector<ChannelSegment*> chosen;
  for (const auto& [id, segment] : segments_) {
    if (predicate(*segment)) chosen.push_back(segment.get());
  }
  std::vector<Leaving> leaving;
  leaving.reserve(chosen.size());
  for (ChannelSegment* const segment : chosen) {
    leaving.push_back(Remove(segment));
  }
  return leaving;
}

}  // namespace warmpool
