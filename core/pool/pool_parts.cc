#include "core/pool/pool_parts.h"

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

void CountRefused(const absl::Status& status, LeaseCounts* counts) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument: ++counts->refused_invalid; break;
    case absl::StatusCode::kResourceExhausted:
      ++counts->refused_exhausted;
      break;
    case absl::StatusCode::kAlreadyExists: ++counts->refused_name_taken; break;
    case absl::StatusCode::kUnavailable: ++counts->refused_draining; break;
    default: ++counts->refused_other;
  }
}

}  // namespace

PoolParts::PoolParts(SegmentDirectory* directory, SystemCalls* calls,
                     const Clock* clock, RandomSource* random,
                     const PoolOptions& options, Journal* journal)
    : options(options),
      directory(*directory),
      calls(*calls),
      clock(*clock),
      random(*random),
      quota(options.quota),
      segments(directory, calls, clock,
               [&] {
                 SegmentPool::Options segments = options.segments;
                 segments.quota = &quota;
                 return segments;
               }()),
      journal(journal, clock, &segments),
      book(directory, clock, random, &quota, &events),
      waker(&book, options.run_later) {}

absl::StatusOr<absl::Duration> PoolParts::GrantedTtl(
    RequestedTtl requested) const {
  const absl::Duration ttl = requested.value_or(options.default_ttl);
  if (ttl < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ttl ", absl::FormatDuration(ttl),
        " is negative: give a positive one, or 0 for as long as the process "
        "lives"));
  }
  return std::min(ttl, options.max_ttl);
}

void PoolParts::RecordRefused(HolderId holder, uint64_t bytes,
                              const absl::Status& status) {
  Refusal refusal{.status = status,
                  .age = absl::ZeroDuration(),
                  .holder = Holder(),
                  .bytes = bytes};
  {
    MutexLock lock(&book.mutex);
    const Holder* const refused = book.table.holders().Find(holder);
    if (refused != nullptr) refusal.holder = *refused;
    book.last_refusals.Note(refusal, clock.Now());
    CountRefused(status, &book.counts);
  }
  if (options.on_refused) options.on_refused(refusal);
}

}  // namespace warmpool
