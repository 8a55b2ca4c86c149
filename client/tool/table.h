// Table: lines of text in aligned columns.
#ifndef WARMPOOL_CLIENT_TOOL_TABLE_H_
#define WARMPOOL_CLIENT_TOOL_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace warmpool {

// Not thread-safe.
class Table {
 public:
  // `columns` has a letter for each column: 'l' is aligned to the left, 'r' to
  // the right.
  explicit Table(absl::string_view columns);

  // REQUIRES: no more cells than columns; missing ones are empty.
  void AddRow(std::vector<std::string> cells);

  // A line for each row, each starting with `indent`; no blanks at their ends.
  std::string ToString(absl::string_view indent = "") const;

 private:
  const std::string columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_TABLE_H_
