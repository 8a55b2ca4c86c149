#include "client/tool/table.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(TableTest, ColumnsAreAligned) {
  Table table("lrl");
  table.AddRow({"NAME", "SIZE", "USER"});
  table.AddRow({"a", "2 MiB", "root"});
  table.AddRow({"longer", "1 B", "x"});
  EXPECT_EQ(table.ToString(),
            "NAME     SIZE  USER\n"
            "a       2 MiB  root\n"
            "longer    1 B  x\n");
}

TEST(TableTest, MissingCellsLeaveNoBlanksAtTheEnd) {
  Table table("ll");
  table.AddRow({"a"});
  table.AddRow({"b", "c"});
  EXPECT_EQ(table.ToString("> "), "> a\n> b  c\n");
}

TEST(TableTest, ATableWithoutRowsIsEmpty) {
  EXPECT_EQ(Table("l").ToString("  "), "");
}

}  // namespace
}  // namespace warmpool
