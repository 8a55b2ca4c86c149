#include "core/memory/segment.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace warmpool {
namespace {

void AbortUnlessEmpty(const Segment& segment) {
  if (segment.empty()) return;
  std::fprintf(stderr,
               "warmpool: a segment of %zu bytes (%s) was dropped without "
               "being ended by UnmapBatch\n",
               segment.bytes(), segment.file_name().c_str());
  std::abort();
}

}  // namespace

Segment::~Segment() { AbortUnlessEmpty(*this); }

Segment::Segment(Segment&& other) noexcept
    : size_class_(other.size_class_),
      bytes_(other.bytes_),
      owner_(other.owner_),
      data_(other.data_),
      page_bytes_(other.page_bytes_),
      zeroed_(other.zeroed_),
      sealed_(other.sealed()),
      tag_(other.tag_),
      proven_unused_(other.proven_unused_),
      parts_(other.TakeParts()) {}

Segment& Segment::operator=(Segment&& other) noexcept {
  if (this == &other) return *this;
  AbortUnlessEmpty(*this);
  size_class_ = other.size_class_;
  bytes_ = other.bytes_;
  owner_ = other.owner_;
  data_ = other.data_;
  page_bytes_ = other.page_bytes_;
  zeroed_ = other.zeroed_;
  set_sealed(other.sealed());
  tag_ = other.tag_;
  proven_unused_ = other.proven_unused_;
  parts_ = other.TakeParts();
  return *this;
}

bool Segment::empty() const {
  return parts_.reservation == nullptr && parts_.fd < 0 &&
         parts_.file_name.empty();
}

Segment::Parts Segment::TakeParts() {
  data_ = nullptr;
  return std::exchange(parts_, Parts());
}

}  // namespace warmpool
