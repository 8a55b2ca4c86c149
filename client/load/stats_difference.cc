#include "client/load/stats_difference.h"

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace warmpool {
namespace {

using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

bool IsCount(const FieldDescriptor& field) {
  static const auto& states = *new absl::flat_hash_set<std::string>{
      "live_leases",       "live_buffers",   "holders",
      "retained_segments", "blocks_waiting", "largest_flush_blocks"};
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 &&
         !field.is_repeated() && !states.contains(field.name());
}

// So that a count that is added to the contract is told without a word here.
void Subtract(const Message& before, Message* after) {
  const google::protobuf::Descriptor& type = *after->GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* const field = type.field(i);
    if (!IsCount(*field)) continue;
    const google::protobuf::Reflection& fields = *after->GetReflection();
    fields.SetUInt64(after, field,
                     fields.GetUInt64(*after, field) -
                         before.GetReflection()->GetUInt64(before, field));
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
  absl::flat_hash_map<std::string, uint64_t> calls_before;
  for (const v1::SystemCallCount& call : before.system_calls()) {
    calls_before[call.name()] = call.count();
  }
  for (v1::SystemCallCount& call : *difference.mutable_system_calls()) {
    call.set_count(call.count() - calls_before[call.name()]);
  }
  return difference;
}

}  // namespace warmpool
