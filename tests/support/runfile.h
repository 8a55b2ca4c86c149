// Programs that a test or a benchmark runs beside itself.
#ifndef WARMPOOL_TESTS_SUPPORT_RUNFILE_H_
#define WARMPOOL_TESTS_SUPPORT_RUNFILE_H_

#include <string>

namespace warmpool::testing {

// Of the running program.
std::string ThisProgram();

// The path of `name`, a file among the running program's `data` and given as
// from the workspace's root. Bazel makes a directory of them beside a program
// that was asked for by name; one that a test runs has them only among the
// test's own, in the working directory.
std::string Runfile(const std::string& name);

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SUPPORT_RUNFILE_H_
