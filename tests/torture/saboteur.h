// Saboteur: the breaches that the driver makes (sabotage.h).
#ifndef WARMPOOL_TESTS_TORTURE_SABOTEUR_H_
#define WARMPOOL_TESTS_TORTURE_SABOTEUR_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/random_id.h"
#include "tests/torture/daemon_control.h"
#include "tests/torture/report.h"
#include "tests/torture/sabotage.h"

namespace warmpool::torture {

// Does nothing where the daemon does it. Not thread-safe.
class Saboteur {
 public:
  // `directory` is the daemon's for segments.
  Saboteur(Sabotage sabotage, std::string directory);
  ~Saboteur();
  Saboteur(const Saboteur&) = delete;
  Saboteur& operator=(const Saboteur&) = delete;

  // A client has reported something.
  void OnReport(int client, const Report& report, DaemonControl& daemon);
  // It is about to be killed.
  void BeforeKill(int client);
  // All clients pause.
  void OnPause();
  // There is no daemon at the moment.
  void OnNoDaemon();

 private:
  struct Holding {
    int client = 0;
    std::string path = {};
  };

  void ChangeByte(const std::string& path) const;

  const Sabotage sabotage_;
  const std::string journal_;
  uint64_t stamped_ = 0;
  absl::flat_hash_map<RandomId, Holding> holdings_;
  std::vector<int> kept_open_;
  // By name.
  std::map<std::string, std::string> old_journal_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_SABOTEUR_H_
