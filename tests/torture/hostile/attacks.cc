#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

constexpr Attack kAttacks[] = {
    {1, "release while mapped", ReleaseWhileMapped},
    {2, "more than there is", AskForMoreThanThereIs},
    {3, "unread answers", ReadNoAnswers},
    {4, "watches", WatchEverything},
    {5, "lists", ListThousands},
    {6, "deaths", DieWithThousandsOfLeases},
    {7, "false asserts", AssertWhatNeverWas},
    {8, "spoiled files", SpoilOwnFiles},
    {9, "silent connections", ConnectAndSayNothing},
    {10, "waits", WaitForNamesThatNeverCome},
    {11, "unknown leases", RenewAndReleaseTheUnknown},
    {12, "compressed requests", SendCompressed},
    {13, "unknown fields", SendUnknownFields},
    {14, "names", TakeNames},
    {15, "files of others", TouchFilesOfOthers},
};

}  // namespace

std::span<const Attack> AllAttacks() { return kAttacks; }

}  // namespace warmpool::torture
