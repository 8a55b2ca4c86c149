// Attacks by work: lists of much, and of what never was.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/random_id.h"
#include "tests/torture/hostile/attack_session.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using testing::RawClient;

// That one request may be about.
constexpr int kMostInRequest = 1000;

std::string RandomBytes() { return KernelRandom::Get().Next().ToBytes(); }

// The leases that were granted of `count` small ones.
v1::ReleaseRequest LeaseSmall(Attacker* attacker, RawClient* client,
                              int count) {
  constexpr int kTogether = 64;
  v1::ReleaseRequest granted;
  AttackSession session(attacker, client);
  for (int i = 0; i < count; i += kTogether) {
    if (!session.Write(LeaseManyOf(i + 1, kTogether, 4096))) break;
    const auto reply = session.ReadReply();
    if (!reply.has_value()) break;
    for (const auto& outcome : reply->lease_many().outcomes()) {
      if (outcome.result().code() != 0) continue;
      granted.add_leases()->set_lease_id(outcome.lease().lease_id());
    }
  }
  return granted;
}

// A list that takes a look at all, and shows none.
v1::ListBuffersRequest ListOfNone(Attacker* attacker) {
  v1::ListBuffersRequest request;
  request.set_page_size(kMostInRequest);
  switch (attacker->Draw(3)) {
    case 0: request.set_name_prefix("no-such-name"); break;
    case 1: request.set_holder_pid(1); break;
    default: request.set_client_id(RandomBytes());
  }
  return request;
}

void ListSomething(Attacker* attacker, RawClient* client) {
  v1::ListBuffersResponse buffers;
  v1::ListHoldersResponse holders;
  v1::GetStatsResponse stats;
  switch (attacker->Draw(4)) {
    case 0:
      attacker->Call(client, &RawClient::Stub::ListHolders,
                     v1::ListHoldersRequest(), &holders);
      break;
    case 1:
      attacker->Call(client, &RawClient::Stub::GetStats, v1::GetStatsRequest(),
                     &stats);
      break;
    default:
      attacker->Call(client, &RawClient::Stub::ListBuffers,
                     ListOfNone(attacker), &buffers);
  }
}

void ReleaseAll(Attacker* attacker, RawClient* client,
                const v1::ReleaseRequest& leases) {
  for (int begin = 0; begin < leases.leases_size(); begin += kMostInRequest) {
    v1::ReleaseRequest part;
    for (int i = begin; i < leases.leases_size() && i < begin + kMostInRequest;
         ++i) {
      *part.add_leases() = leases.leases(i);
    }
    v1::ReleaseResponse response;
    attacker->Call(client, &RawClient::Stub::Release, part, &response);
  }
}

std::string FileOfSomebody(Attacker* attacker) {
  const std::vector<std::string>& others = attacker->options().files_of_others;
  if (others.empty() || attacker->Chance(30)) {
    return absl::StrCat(KernelRandom::Get().Next().ToHex(), ".seg");
  }
  const std::string& path = others[attacker->Draw(others.size())];
  return path.substr(path.rfind('/') + 1);
}

v1::AssertRequest FalseAssert(Attacker* attacker, int count) {
  // The last are those that would leave no generation to anybody else.
  constexpr uint64_t kGenerations[] = {1, uint64_t{1} << 40, uint64_t{1} << 62,
                                       ~uint64_t{0}};
  v1::AssertRequest request;
  request.set_client_id(RandomBytes());
  for (int i = 0; i < count; ++i) {
    auto* const lease = request.add_leases();
    lease->set_lease_id(RandomBytes());
    lease->set_request_id(RandomBytes());
    lease->set_generation(
        kGenerations[attacker->Draw(std::size(kGenerations))]);
    lease->set_buffer_name(absl::StrCat("asserted-", attacker->Draw(1000)));
    lease->set_file_name(FileOfSomebody(attacker));
    lease->set_size_bytes(4096);
    lease->set_access(v1::ACCESS_SHARED_WRITABLE);
  }
  return request;
}

}  // namespace

void ListThousands(Attacker* attacker) {
  RawClient client = attacker->Connect();
  const v1::ReleaseRequest leases = LeaseSmall(attacker, &client, 3000);
  while (!attacker->Over()) ListSomething(attacker, &client);
  // Otherwise they are this process's until it dies. Without a deadline that
  // has passed already.
  attacker->LastFor(absl::Seconds(5));
  if (attacker->Chance(70)) ReleaseAll(attacker, &client, leases);
}

void AssertWhatNeverWas(Attacker* attacker) {
  constexpr int kLeases = 100;
  RawClient client = attacker->Connect();
  while (!attacker->Over()) {
    v1::AssertResponse response;
    attacker->Call(&client, &RawClient::Stub::Assert,
                   FalseAssert(attacker, kLeases), &response);
    for (const auto& asserted : response.asserted()) {
      if (asserted.result().code() != 0) continue;
      attacker->FoundBreach("a lease that never was is granted by Assert");
    }
  }
}

void RenewAndReleaseTheUnknown(Attacker* attacker) {
  constexpr int kSessions = 3;
  constexpr int kPipelined = 4;
  v1::SessionRequest renew;
  v1::SessionRequest release;
  for (int i = 0; i < kMostInRequest; ++i) {
    renew.mutable_renew()->add_renewals()->mutable_lease()->set_lease_id(
        RandomBytes());
    release.mutable_release()->add_leases()->set_lease_id(RandomBytes());
  }
  RawClient client = attacker->Connect();
  std::vector<std::unique_ptr<AttackSession>> sessions;
  for (int i = 0; i < kSessions; ++i) {
    sessions.push_back(std::make_unique<AttackSession>(attacker, &client));
  }
  while (!attacker->Over()) {
    for (const auto& session : sessions) {
      for (int i = 0; i < kPipelined; ++i) {
        session->Write(attacker->Chance(50) ? renew : release);
      }
    }
    for (const auto& session : sessions) {
      for (int i = 0; i < kPipelined && session->ReadReply(); ++i) {
      }
    }
  }
}

}  // namespace warmpool::torture
