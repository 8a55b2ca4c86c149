// How the journal grows and is compacted ahead of need.
#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"
#include "core/journal/journal.h"

namespace warmpool {
namespace {

// Leases that are copied in one go: 25 KB at most, some tens of microseconds.
constexpr size_t kPieceLeases = 64;
// Bytes that are wiped, or written by Finish, in one go.
constexpr uint64_t kPieceBytes = 64 * kKiB;

}  // namespace

bool Journal::CompactionDue() const {
  const uint64_t capacity = files_.capacity();
  // Longer files are told of only by a snapshot's header.
  if (told_bytes_ < capacity) return true;
  const uint64_t taken = end_ + EndBytes(leases_.size());
  // Where next to all of it is live leases there is nothing to gain.
  return taken > capacity - capacity / 4 &&
         end_ > SnapshotBytes() + capacity / 8;
}

bool Journal::GrowthDue() const {
  const uint64_t capacity = files_.capacity();
  return KeptBytes() > capacity / 2 && capacity < JournalFile::kMaxBytes;
}

std::optional<Journal::Step> Journal::PlanStep() {
  Step step;
  if (!making_.has_value()) {
    if (CompactionDue()) {
      making_.emplace(NextHeader(), &leases_);
      MutexLock lock(&spare_mutex_);
      writable_ = making_->header().snapshot;
    } else if (GrowthDue()) {
      step.grow_to = files_.capacity();
      while (step.grow_to / 2 < KeptBytes()) step.grow_to *= 2;
      step.grow_to = std::min(step.grow_to, JournalFile::kMaxBytes);
      return step;
    } else {
      return std::nullopt;
    }
  }
  // Mostly CommitStep has copied a piece already.
  const bool begins = making_->taken_bytes() == 0;
  if (begins || making_->bytes() == making_->taken_bytes()) {
    making_->Copy(kPieceLeases);
  }
  step.file = &files_.spare();
  step.snapshot = making_->header().snapshot;
  step.offset = making_->taken_bytes();
  // Never seen where every append was written: the old journal has all that is
  // in the snapshot. The step will find it abandoned.
  if (making_->bytes() > files_.capacity()) {
    Abandon();
    return step;
  }
  step.bytes = making_->Take();
  const uint64_t used =
      std::min(files_.spare_used(), files_.spare().backed_bytes());
  if (step.bytes.empty() && step.offset < used) {
    // From behind, so that all behind it is zero.
    step.wipes = true;
    step.bytes = std::string(std::min(used - step.offset, kPieceBytes), '\0');
    step.offset = used - step.bytes.size();
  }
  files_.set_spare_used(std::max(used, step.offset + step.bytes.size()));
  return step;
}

void Journal::TakeStep(Step* step) {
  if (step->grow_to > 0) {
    step->status = files_.Allocate(step->grow_to, &step->grown_files);
    return;
  }
  MutexLock lock(&spare_mutex_);
  step->status = step->snapshot == writable_
                     ? step->file->Write(step->offset, step->bytes)
                     : absl::AbortedError("a snapshot was made meanwhile");
}

absl::Status Journal::CommitStep(const Step& step) {
  if (step.grow_to > 0) {
    files_.RecordAllocated(step.grow_to, step.grown_files);
    return step.status;
  }
  if (!making_.has_value() || making_->header().snapshot != step.snapshot) {
    return absl::AbortedError("a snapshot was made meanwhile");
  }
  if (!step.status.ok()) {
    Abandon();
    return step.status;
  }
  if (step.wipes) files_.set_spare_used(step.offset);
  const bool whole = making_->Copy(kPieceLeases);
  const uint64_t left = making_->bytes() - making_->taken_bytes();
  const bool wiped = files_.spare_used() <= making_->taken_bytes();
  return whole && wiped && left <= kPieceBytes ? Finish() : absl::OkStatus();
}

absl::Status Journal::Finish() {
  JournalSnapshot made = *std::move(making_);
  Abandon();
  if (made.bytes() + EndBytes(leases_.size()) > files_.capacity()) {
    return absl::ResourceExhaustedError(
        "too much has changed while a snapshot was made");
  }
  const uint64_t offset = made.taken_bytes();
  files_.set_spare_used(made.bytes());
  RETURN_IF_ERROR(files_.spare().Write(offset, made.Take()));
  return Exchange(made);
}

void Journal::Abandon() {
  making_.reset();
  MutexLock lock(&spare_mutex_);
  writable_.reset();
}

}  // namespace warmpool
