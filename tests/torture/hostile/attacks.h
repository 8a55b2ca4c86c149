// Attacks: the hostile things that one uid does, each a small function that
// goes on until its attacker says that it is over, or has done its worst. Each
// makes its own connections. What they leave behind ends with the process.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKS_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKS_H_

#include <span>

#include "tests/torture/hostile/attacker.h"

namespace warmpool::torture {

struct Attack {
  // As in --attacks. From 1.
  int number;
  const char* name;
  void (*run)(Attacker* attacker);
};

// In order of their numbers, without a gap.
std::span<const Attack> AllAttacks();

// Leases (attack_leases.cc).
void ReleaseWhileMapped(Attacker* attacker);
void AskForMoreThanThereIs(Attacker* attacker);
void DieWithThousandsOfLeases(Attacker* attacker);
void TakeNames(Attacker* attacker);

// Streams (attack_streams.cc).
void ReadNoAnswers(Attacker* attacker);
void WatchEverything(Attacker* attacker);
void WaitForNamesThatNeverCome(Attacker* attacker);

// Work for the daemon (attack_lists.cc).
void ListThousands(Attacker* attacker);
void AssertWhatNeverWas(Attacker* attacker);
void RenewAndReleaseTheUnknown(Attacker* attacker);

// Files (attack_files.cc).
void SpoilOwnFiles(Attacker* attacker);
void TouchFilesOfOthers(Attacker* attacker);

// Bytes on the wire (attack_wire.cc).
void ConnectAndSayNothing(Attacker* attacker);
void SendCompressed(Attacker* attacker);
void SendUnknownFields(Attacker* attacker);

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_ATTACKS_H_
