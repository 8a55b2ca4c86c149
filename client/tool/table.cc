#include "client/tool/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

constexpr absl::string_view kGap = "  ";

}  // namespace

Table::Table(absl::string_view columns) : columns_(columns) {}

void Table::AddRow(std::vector<std::string> cells) {
  WARMPOOL_CHECK(cells.size() <= columns_.size(), "more cells than columns");
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::ToString(absl::string_view indent) const {
  std::vector<size_t> widths(columns_.size(), 0);
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - row[i].size(), ' ');
      if (i > 0) absl::StrAppend(&line, kGap);
      if (columns_[i] == 'l') {
        absl::StrAppend(&line, row[i], padding);
      } else {
        absl::StrAppend(&line, padding, row[i]);
      }
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

}  // namespace warmpool
