// The corpus of journal_fuzz, made here. It is also what pins the format: where
// a change of the encoding makes these tests fail, raise kJournalVersion and
// copy the files anew (they are in the test's undeclared outputs).
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "core/journal/journal_format.h"
#include "core/journal/journal_parse.h"
#include "gtest/gtest.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

constexpr char kCorpus[] = "tests/fuzz/corpus/journal/";
constexpr uint64_t kBytes = 1024;

// Two grants, a renewal, an end, a replacement, and a third grant with long
// strings.
std::string Leases() {
  JournalSeed seed;
  LeaseRecord longest = MakeLeaseRecord(3);
  longest.holder_command = std::string(LeaseRecord::kMaxCommandBytes, 'c');
  longest.buffer_name = std::string(LeaseRecord::kMaxBufferNameBytes, 'b');
  longest.file_name = std::string(LeaseRecord::kMaxFileNameBytes, 'f');
  std::string bytes = EncodeJournalHeader({kBoot, 2, 1, 5, kBytes}, &seed);
  bytes += EncodeGrant(seed, MakeLeaseRecord(1));
  bytes += EncodeGrant(seed, MakeLeaseRecord(2));
  bytes += EncodeRenewal(seed, MakeLeaseRecord(1).id, absl::Minutes(1));
  bytes += EncodeEnd(seed, MakeLeaseRecord(2).id);
  bytes += EncodeReplacement(seed, MakeLeaseRecord(1).id, MakeLeaseRecord(4));
  // Longer than what is written, so that there is a tail.
  bytes += EncodeGrant(seed, longest);
  bytes.resize(std::max<size_t>(bytes.size(), kBytes) + 64);
  return bytes;
}

std::map<std::string, std::string> Corpus() {
  JournalSeed seed;
  std::map<std::string, std::string> corpus;
  corpus["leases"] = Leases();
  corpus["fresh"] =
      EncodeJournalHeader({kBoot, 1, 0, 1, 320}, &seed) + std::string(64, '\0');
  corpus["another_boot"] =
      EncodeJournalHeader({kAnotherBoot, 1, 0, 1, 256}, &seed);
  corpus["torn"] = Leases().substr(0, 900);
  corpus["flipped"] = Leases();
  corpus["flipped"][300] ^= 1;
  return corpus;
}

TEST(JournalCorpusTest, IsWhatThisFormatWrites) {
  for (const auto& [name, bytes] : Corpus()) {
    std::ifstream file(kCorpus + name, std::ios::binary);
    const std::string committed{std::istreambuf_iterator<char>(file),
                                std::istreambuf_iterator<char>()};
    EXPECT_TRUE(committed == bytes) << name << " is another";
    if (const char* const outputs = getenv("TEST_UNDECLARED_OUTPUTS_DIR")) {
      std::ofstream(std::string(outputs) + "/" + name, std::ios::binary)
          << bytes;
    }
  }
}

TEST(JournalCorpusTest, IsRead) {
  const auto leases_of = [](const std::string& name) {
    return ParseJournal(Corpus().at(name), kBoot).leases.size();
  };
  EXPECT_EQ(leases_of("leases"), 2u);
  EXPECT_EQ(leases_of("torn"), 1u);
  EXPECT_EQ(leases_of("flipped"), 0u);
  EXPECT_EQ(ParseJournal(Corpus().at("leases"), kBoot).damage, "");
  EXPECT_EQ(ParseJournal(Corpus().at("fresh"), kBoot).damage, "");
}

}  // namespace
}  // namespace warmpool
