#include "warmpool/channel.h"

#include "client/channels/channel_member.h"
#include "core/base/status_macros.h"

namespace warmpool {

ChannelBuffer::ChannelBuffer(std::shared_ptr<ChannelMember> member,
                             ChannelSegment* segment)
    : data_(segment->lease->segment.data()),
      size_(segment->size),
      member_(std::move(member)),
      segment_(segment) {}

ChannelBuffer& ChannelBuffer::operator=(ChannelBuffer&& other) noexcept {
  if (this == &other) return *this;
  Drop();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  member_ = std::move(other.member_);
  segment_ = std::exchange(other.segment_, nullptr);
  return *this;
}

void ChannelBuffer::Drop() {
  if (!valid()) return;
  member_->PutBack(std::exchange(segment_, nullptr));
}

absl::StatusOr<std::string> ChannelBuffer::Give() {
  if (!valid()) {
    return absl::FailedPreconditionError("the buffer holds nothing");
  }
  absl::StatusOr<std::string> token = member_->Give(segment_);
  if (!token.ok()) return token;
  data_ = nullptr;
  size_ = 0;
  segment_ = nullptr;
  member_.reset();
  return token;
}

Channel::~Channel() {
  if (member_ != nullptr) member_->Close();
}

Channel& Channel::operator=(Channel&& other) noexcept {
  if (this == &other) return *this;
  if (member_ != nullptr) member_->Close();
  member_ = std::move(other.member_);
  return *this;
}

absl::StatusOr<ChannelBuffer> Channel::Lease(uint64_t bytes) {
  ASSIGN_OR_RETURN(ChannelSegment* const segment, member_->Lease(bytes));
  return ChannelBuffer(member_, segment);
}

absl::StatusOr<ChannelBuffer> Channel::Take(absl::string_view token) {
  ASSIGN_OR_RETURN(ChannelSegment* const segment, member_->Take(token));
  return ChannelBuffer(member_, segment);
}

}  // namespace warmpool
