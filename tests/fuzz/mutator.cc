#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <iterator>

namespace warmpool {
namespace {

// Ends of ranges, where comparisons go wrong.
constexpr uint64_t kEdges[] = {
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
};

}  // namespace

std::string Mutator::Next() {
  std::string input = corpus_[Random(corpus_.size())];
  for (size_t left = 1 + Random(4); left > 0; --left) MutateOnce(&input);
  if (input.size() > kMaxBytes) input.resize(kMaxBytes);
  return input;
}

std::string Mutator::Piece() {
  const std::string& from = corpus_[Random(corpus_.size())];
  const size_t begin = Random(from.size() + 1);
  return from.substr(begin, 1 + Random(64));
}

void Mutator::MutateOnce(std::string* input) {
  const size_t at = Random(input->size() + 1);
  const size_t left = input->size() - at;
  const size_t count = left == 0 ? 0 : 1 + Random(std::min<size_t>(left, 64));
  switch (Random(8)) {
    case 0:  // One bit.
      if (left > 0) (*input)[at] ^= static_cast<char>(1 << Random(8));
      return;
    case 1:  // One byte.
      if (left > 0) (*input)[at] = static_cast<char>(Random(256));
      return;
    case 2: input->erase(at, count); return;
    case 3:  // Torn.
      input->resize(at);
      return;
    case 4: input->insert(at, Piece()); return;
    case 5: input->replace(at, count, Piece()); return;
    case 6:
      std::fill_n(input->begin() + static_cast<ptrdiff_t>(at), count, '\0');
      return;
    case 7: {  // A number of 1, 2, 4 or 8 bytes.
      const uint64_t edge = kEdges[Random(std::size(kEdges))];
      const size_t bytes = std::min<size_t>(left, size_t{1} << Random(4));
      for (size_t i = 0; i < bytes; ++i) {
        (*input)[at + i] = static_cast<char>(edge >> 8 * i);
      }
      return;
    }
  }
}

}  // namespace warmpool
