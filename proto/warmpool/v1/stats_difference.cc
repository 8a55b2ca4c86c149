#include "proto/warmpool/v1/stats_difference.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace warmpool {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;

// Fields that are no counts: what tells of a moment, is a maximum, or a bound.
bool IsOther(const FieldDescriptor& field) {
  static const auto& names =
      *new absl::flat_hash_set<std::string>{"live_leases",
                                            "live_buffers",
                                            "holders",
                                            "recovering_leases",
                                            "waiting_attaches",
                                            "retained_segments",
                                            "blocks_waiting",
                                            "segment_bytes",
                                            "leased_bytes",
                                            "retained_bytes",
                                            "batched_bytes",
                                            "stock_bytes",
                                            "quarantined_bytes",
                                            "ring_slots",
                                            "idle_in_clients_bytes",
                                            "upper_bound_ns",
                                            "p50_ns",
                                            "upper_bound_blocks",
                                            "p99_ns",
                                            "largest_flush_blocks",
                                            "live_tickets",
                                            "ticket_bytes",
                                            "live_lingering",
                                            "lingering_bytes"};
  return names.contains(field.name());
}

using Fields = absl::flat_hash_set<const FieldDescriptor*>;

void AddCounts(const google::protobuf::Descriptor& type, Fields* counts) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 &&
        !field.is_repeated() && !IsOther(field)) {
      counts->insert(&field);
    }
  }
  for (int i = 0; i < type.nested_type_count(); ++i) {
    AddCounts(*type.nested_type(i), counts);
  }
}

bool IsCount(const FieldDescriptor& field) {
  static const Fields& counts = *[] {
    auto* const all = new Fields;
    const google::protobuf::FileDescriptor& file =
        *v1::GetStatsResponse::descriptor()->file();
    for (int i = 0; i < file.message_type_count(); ++i) {
      AddCounts(*file.message_type(i), all);
    }
    return all;
  }();
  return counts.contains(&field);
}

// Whether both are the same item of a repeated field: by their first field.
bool IsSame(const Message& a, const Message& b) {
  const FieldDescriptor* const key = a.GetDescriptor()->field(0);
  const Reflection& fields = *a.GetReflection();
  switch (key->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch[2];
      return fields.GetStringReference(a, key, &scratch[0]) ==
             fields.GetStringReference(b, key, &scratch[1]);
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return fields.GetEnumValue(a, key) == fields.GetEnumValue(b, key);
    case FieldDescriptor::CPPTYPE_INT32:
      return fields.GetInt32(a, key) == fields.GetInt32(b, key);
    default: return fields.GetUInt64(a, key) == fields.GetUInt64(b, key);
  }
}

void Subtract(const Message& before, Message* after);

void SubtractItems(const FieldDescriptor& field, const Message& before,
                   Message* after) {
  const Reflection& fields = *after->GetReflection();
  const int size_before = fields.FieldSize(before, &field);
  // Both have the same order, but for items that only one of them has.
  int next = 0;
  for (int i = 0; i < fields.FieldSize(*after, &field); ++i) {
    Message* const item = fields.MutableRepeatedMessage(after, &field, i);
    for (int tried = 0; tried < size_before; ++tried) {
      const int at = (next + tried) % size_before;
      const Message& other = fields.GetRepeatedMessage(before, &field, at);
      if (!IsSame(other, *item)) continue;
      Subtract(other, item);
      next = at + 1;
      break;
    }
  }
}

// So that a count that is added to the contract is told without a word here.
void Subtract(const Message& before, Message* after) {
  const google::protobuf::Descriptor& type = *after->GetDescriptor();
  const Reflection& fields = *after->GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool is_message =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    if (IsCount(field)) {
      const uint64_t was = fields.GetUInt64(before, &field);
      const uint64_t is = fields.GetUInt64(*after, &field);
      // Counts are read one by one: one may be of a moment before the other's.
      fields.SetUInt64(after, &field, is - std::min(is, was));
    } else if (is_message && field.is_repeated()) {
      SubtractItems(field, before, after);
    } else if (is_message && fields.HasField(*after, &field)) {
      Subtract(fields.GetMessage(before, &field),
               fields.MutableMessage(after, &field));
    }
  }
  if (&type == v1::LatencyHistogram::descriptor()) {
    SetQuantiles(static_cast<v1::LatencyHistogram*>(after));
  }
}

}  // namespace

v1::GetStatsResponse StatsDifference(const v1::GetStatsResponse& before,
                                     const v1::GetStatsResponse& after) {
  v1::GetStatsResponse difference = after;
  Subtract(before.leases(), difference.mutable_leases());
  Subtract(before.bigcache(), difference.mutable_bigcache());
  Subtract(before.batch(), difference.mutable_batch());
  Subtract(before.huge_pages(), difference.mutable_huge_pages());
  for (const char* const name :
       {"system_calls", "size_classes", "rpcs", "steps"}) {
    SubtractItems(*v1::GetStatsResponse::descriptor()->FindFieldByName(name),
                  before, &difference);
  }
  return difference;
}

uint64_t QuantileNs(const v1::LatencyHistogram& histogram, double quantile) {
  uint64_t count = 0;
  for (const auto& bucket : histogram.buckets()) count += bucket.count();
  const double rank = quantile * static_cast<double>(count);
  double below = 0;
  for (const auto& bucket : histogram.buckets()) {
    const auto here = static_cast<double>(bucket.count());
    if (here == 0 || below + here < rank) {
      below += here;
      continue;
    }
    const uint64_t upper = bucket.upper_bound_ns();
    // Buckets are a quarter of a doubling wide; the widest begins where its
    // doubling does.
    const auto least = static_cast<double>(upper) * 4 / 5;
    if (upper == std::numeric_limits<uint64_t>::max()) {
      return uint64_t{1} << 34;
    }
    return static_cast<uint64_t>(
        least + (static_cast<double>(upper) - least) *
                    std::clamp((rank - below) / here, 0.0, 1.0));
  }
  return 0;
}

void SetQuantiles(v1::LatencyHistogram* histogram) {
  histogram->set_p50_ns(QuantileNs(*histogram, 0.5));
  histogram->set_p99_ns(QuantileNs(*histogram, 0.99));
}

}  // namespace warmpool
