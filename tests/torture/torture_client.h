// TortureClient: a client process. It leases buffers through the library,
// stamps every page, keeps them for a while, checks every page and releases
// them; it attaches to others', forks children that keep a mapping, gives
// requests up after milliseconds, and lets leases expire. If told to hand over,
// it seals some and gives others away by tickets, reads what others sealed and
// claims what they gave. It tells the driver all of it.
//
// What it does is drawn from a seed. Not thread-safe; main thread only.
#ifndef WARMPOOL_TESTS_TORTURE_TORTURE_CLIENT_H_
#define WARMPOOL_TESTS_TORTURE_TORTURE_CLIENT_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/command_input.h"
#include "tests/torture/report.h"
#include "warmpool/warmpool.h"

namespace warmpool::torture {

class TortureClient {
 public:
  // Commands come from `input`, reports go to `output`.
  TortureClient(std::string target, int number, uint64_t seed, bool hand_over,
                int input, int output);

  // Returns when told to quit. The exit code of the process.
  int Run();

 private:
  // Connections that differ in how much they do for a lease.
  enum class Manner {
    // Patient, and renews its leases.
    kKeeping,
    // Patient; its leases expire.
    kLapsing,
    // Gives up after milliseconds; its leases expire.
    kHasty,
  };
  static constexpr size_t kManners = 3;

  // What is to become of a buffer before it is released.
  enum class Destiny { kNone, kSealed, kGiven };

  struct Holding {
    Buffer buffer = {};
    RandomId id = {};
    RandomId stamper = {};
    Manner manner = Manner::kKeeping;
    absl::Time release_at = {};
    Destiny destiny = Destiny::kNone;
    absl::Time destined_at = {};
    absl::Duration linger = {};
  };

  // Null if there is none in time.
  Client* ConnectionOf(Manner manner);
  absl::Duration DrawPause();
  // Returns false if told to quit.
  bool Obey(const Command& command);
  void DoSomething();

  void Lease();
  Report DrawLease(Manner manner, LeaseOptions* options);
  void AttachTo(const Command& command);
  // What becomes of a request: a holding, or a report why not. `ticket`, in
  // hex, is what it was to claim, if anything.
  Holding* Settle(const Report& asking, absl::StatusOr<Buffer> buffer,
                  Manner manner, const RandomId& stamper,
                  const std::string& ticket = "");
  void Stamp(Holding& holding);
  void StampAnew(Holding& holding);

  // torture_client_handover.cc.
  void DrawDestiny(Holding& holding);
  // Returns false if there is nothing to hand over.
  bool HandOver();
  void Seal(Holding& holding);
  void Give(size_t index);
  void Read(const Command& command);
  void Claim(const Command& command);
  // The daemon was not reached, or its answer was not.
  static bool NoAnswer(const absl::Status& status);
  void TellOfFailure(uint64_t request, const absl::Status& status, bool unsure);

  void Check(const Holding& holding);
  void Renew(Holding& holding);
  void Fork(const Holding& holding);
  void Release(size_t index);
  void Drop(Holding holding);
  void ReleaseAll();

  Holding& DrawHolding() { return held_[Below(held_.size())]; }
  void Tell(Report report);
  void TellOfLoss(const RandomId& id, const absl::Status& status);
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  // With a chance of so many in a hundred.
  bool Chance(uint64_t percent) { return Below(100) < percent; }

  const std::string target_;
  const int number_;
  const bool hand_over_;
  const int output_;
  std::mt19937_64 random_;
  CommandInput input_;
  std::optional<Client> connections_[kManners];
  uint64_t last_request_ = 0;
  std::vector<Holding> held_;
  // To attach, read and claim.
  std::deque<Command> offers_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_TORTURE_CLIENT_H_
