// Mutator: inputs that are nearly those of a corpus, which is where parsers
// break. The same seed and corpus give the same inputs in the same order.
#ifndef WARMPOOL_TESTS_FUZZ_MUTATOR_H_
#define WARMPOOL_TESTS_FUZZ_MUTATOR_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace warmpool {

// Not thread-safe.
class Mutator {
 public:
  // No input gets longer.
  static constexpr size_t kMaxBytes = size_t{64} << 10;

  // REQUIRES: the corpus is not empty.
  Mutator(uint64_t seed, std::vector<std::string> corpus)
      : random_(seed), corpus_(std::move(corpus)) {}

  // One of the corpus, changed in one to four ways.
  std::string Next();

 private:
  // Below `bound`, which is above 0.
  size_t Random(size_t bound) { return random_() % bound; }
  void MutateOnce(std::string* input);
  // A piece of any of the corpus.
  std::string Piece();

  std::mt19937_64 random_;
  const std::vector<std::string> corpus_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_FUZZ_MUTATOR_H_
