// Names of the files that a SegmentDirectory keeps.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_NAME_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_NAME_H_

#include <string>

#include "absl/strings/string_view.h"
#include "core/base/random_id.h"

namespace warmpool {

// 32 hexadecimal digits and ".seg": nobody else gives a file such a name by
// accident.
std::string SegmentName(const RandomId& id);
bool IsSegmentName(absl::string_view name);

// The name that a segment's file goes on to where its record in the journal
// can't be changed at the same instant: a later daemon looks for it under both.
// Empty if `name` is no segment's.
std::string NextSegmentName(absl::string_view name);

// What a stray file is called in quarantine. It tells the name that the file
// had: its beginning, with every byte but letters, digits, '.', '_' and '-'
// replaced.
std::string StrayName(absl::string_view name, const RandomId& id);
bool IsStrayName(absl::string_view name);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_NAME_H_
