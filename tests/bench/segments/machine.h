// What a benchmark of segments ran on.
#ifndef WARMPOOL_TESTS_BENCH_SEGMENTS_MACHINE_H_
#define WARMPOOL_TESTS_BENCH_SEGMENTS_MACHINE_H_

namespace warmpool::bench {

// Prints processor, memory, kernel, the settings of huge pages and how busy the
// machine is.
void PrintMachine();

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_SEGMENTS_MACHINE_H_
