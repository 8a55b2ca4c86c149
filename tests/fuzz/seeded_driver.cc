// The driver of a fuzz target in every build, sanitizers included: it runs
// LLVMFuzzerTestOneInput over the files of a corpus and over so many mutations
// of them, always the same for the same seed. A target passes if nothing
// crashes. libFuzzer has the same entry point and takes this file's place where
// there is time to search (see fuzz.bzl).
//
//   --corpus=DIR  the files to begin with; required, and not empty
//   --runs=N      mutations to run
//   --seconds=N   goes on for so long instead
//   --seed=N      which mutations
//   --keep=FILE   writes each input to FILE before it is run: after a crash,
//                 the same flags with this one leave the input that did it
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace warmpool {
namespace {

struct Flags {
  std::string corpus;
  uint64_t runs = 20'000;
  uint64_t seconds = 0;
  uint64_t seed = 1;
  std::string keep;
};

bool Read(const std::string& argument, const std::string& name,
          std::string* value) {
  const std::string prefix = "--" + name + "=";
  if (!argument.starts_with(prefix)) return false;
  *value = argument.substr(prefix.size());
  return true;
}

bool Read(const std::string& argument, const std::string& name,
          uint64_t* value) {
  std::string text;
  if (!Read(argument, name, &text)) return false;
  *value = std::strtoull(text.c_str(), nullptr, 10);
  return true;
}

Flags ReadFlags(const std::vector<std::string>& arguments) {
  Flags flags;
  for (const std::string& argument : arguments) {
    if (Read(argument, "corpus", &flags.corpus) ||
        Read(argument, "runs", &flags.runs) ||
        Read(argument, "seconds", &flags.seconds) ||
        Read(argument, "seed", &flags.seed) ||
        Read(argument, "keep", &flags.keep)) {
      continue;
    }
    std::fprintf(stderr, "unknown argument %s\n", argument.c_str());
    std::exit(2);
  }
  return flags;
}

// The contents of the directory's files, in order of name.
std::vector<std::string> ReadCorpus(const std::string& path) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(stream),
                        std::istreambuf_iterator<char>());
  }
  return corpus;
}

void RunOne(const Flags& flags, const std::string& input) {
  if (!flags.keep.empty()) {
    std::ofstream(flags.keep, std::ios::binary | std::ios::trunc) << input;
  }
  // A copy of exactly its size, so that AddressSanitizer sees a read beyond it.
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

int Run(const Flags& flags) {
  const std::vector<std::string> corpus = ReadCorpus(flags.corpus);
  if (corpus.empty()) {
    std::fprintf(stderr,
                 "no corpus in \"%s\": name its directory with "
                 "--corpus\n",
                 flags.corpus.c_str());
    return 2;
  }
  RunOne(flags, "");
  for (const std::string& input : corpus) RunOne(flags, input);
  Mutator mutator(flags.seed, corpus);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::seconds(flags.seconds);
  uint64_t runs = 0;
  while (flags.seconds == 0 ? runs < flags.runs
                            : std::chrono::steady_clock::now() < deadline) {
    RunOne(flags, mutator.Next());
    ++runs;
  }
  std::printf("%zu files and %llu mutations of them, seed %llu\n",
              corpus.size(), static_cast<unsigned long long>(runs),
              static_cast<unsigned long long>(flags.seed));
  return 0;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  return warmpool::Run(warmpool::ReadFlags({argv + 1, argv + argc}));
}
