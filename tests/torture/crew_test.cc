// Whether what a client wrote last is taken for what it is.
#include "tests/torture/crew.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

using Kind = Report::Kind;
using ::testing::ElementsAre;

absl::Time Now() { return MonotonicClock::Get().Now(); }

class CrewTest : public ::testing::Test {
 protected:
  // One client, which is a shell script.
  void Start(const std::string& script) {
    crew_ = std::make_unique<Crew>(
        std::vector<std::string>{"/bin/sh", "-c", script}, absl::ZeroDuration(),
        [this](int, const Report& report) { told_.push_back(report.kind); });
    client_ = crew_->Start();
  }

  // Reads until there are so many reports in all.
  void Await(size_t reports) {
    const absl::Time end = Now() + absl::Minutes(1);
    while (told_.size() < reports && Now() < end) {
      crew_->Read(absl::Milliseconds(20));
    }
  }

  static std::string Line(Kind kind) { return Report{.kind = kind}.ToLine(); }

  std::vector<Kind> told_;
  std::unique_ptr<Crew> crew_;
  int client_ = 0;
};

TEST_F(CrewTest, HalfALineOfAKilledClientIsNoReport) {
  // Its child reports once it is gone.
  Start(absl::StrCat("(while kill -0 $$; do :; done 2>&-; printf '",
                     Line(Kind::kForkDone), "\\n') & printf '",
                     Line(Kind::kPaused), "\\n1 granted'; wait"));
  Await(1);
  crew_->Kill(client_);
  Await(2);
  EXPECT_THAT(told_, ElementsAre(Kind::kPaused, Kind::kForkDone));
}

TEST_F(CrewTest, ALineThatIsNoReportIsABreach) {
  Start("echo nonsense; read x");
  Await(1);
  EXPECT_THAT(told_, ElementsAre(Kind::kBreach));
}

TEST_F(CrewTest, ReadsWhatWasReportedBeforeItBeganTo) {
  Start(absl::StrCat("echo '", Line(Kind::kPaused), "'; read x"));
  const absl::Time before = Now();
  const absl::Time until = crew_->Read(absl::ZeroDuration());
  EXPECT_GE(until, before);
  EXPECT_LE(until, Now());
  Await(1);
  EXPECT_THAT(told_, ElementsAre(Kind::kPaused));
}

}  // namespace
}  // namespace warmpool::torture
