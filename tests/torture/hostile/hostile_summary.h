// What a run of the HostileDriver amounts to, for people.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_SUMMARY_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_SUMMARY_H_

#include <string>

#include "tests/torture/hostile/hostile_driver.h"

namespace warmpool::torture {

// Counts in a line, latencies by size, attacks by kind.
std::string ToText(const HostileDriver& driver);
// How far it is, in a line.
std::string ProgressOf(const HostileDriver& driver);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_HOSTILE_SUMMARY_H_
