// Attacks by streams: answers that nobody reads, watches, waits without end.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/random_id.h"
#include "proto/grpc/health/v1/health.grpc.pb.h"
#include "tests/torture/hostile/attack_session.h"
#include "tests/torture/hostile/attacks.h"

namespace warmpool::torture {
namespace {

using testing::RawClient;
using Contexts = std::vector<std::unique_ptr<grpc::ClientContext>>;

grpc::ClientContext* Add(Attacker* attacker, Contexts* contexts) {
  contexts->push_back(std::make_unique<grpc::ClientContext>());
  attacker->SetDeadline(contexts->back().get());
  attacker->Count(0);
  return contexts->back().get();
}

// Until the attack is over.
void Rest(const Attacker& attacker) {
  while (!attacker.Over()) absl::SleepFor(absl::Milliseconds(20));
}

// As large as may be, or with more references than may be.
v1::SessionRequest ReleaseOf(int count) {
  v1::SessionRequest request;
  request.set_tag(1);
  for (int i = 0; i < count; ++i) {
    auto* const lease = request.mutable_release()->add_leases();
    if (count <= 1000) {
      lease->set_lease_id(KernelRandom::Get().Next().ToBytes());
    }
  }
  return request;
}

v1::SessionRequest AttachOf(const std::string& name, uint64_t tag) {
  v1::SessionRequest request;
  request.set_tag(tag);
  *request.mutable_attach() = RawClient::AttachOf(name);
  request.mutable_attach()->set_access(v1::ACCESS_READ_ONLY);
  request.mutable_attach()->mutable_wait()->set_seconds(3600);
  // Those that get what they wait for do not keep it.
  request.mutable_attach()->mutable_ttl()->set_seconds(1);
  return request;
}

// A buffer of that name, which is the end of all that wait for it.
void SealOne(Attacker* attacker, RawClient* client, const std::string& name) {
  v1::LeaseRequest request = RawClient::LeaseOf(4096);
  request.set_name(name);
  const auto lease = attacker->Lease(client, request);
  if (!lease.has_value()) return;
  v1::SealRequest seal;
  seal.mutable_lease()->set_lease_id(lease->lease_id());
  v1::SealResponse sealed;
  attacker->Call(client, &RawClient::Stub::Seal, seal, &sealed);
  v1::ReleaseResponse released;
  attacker->Call(client, &RawClient::Stub::Release,
                 RawClient::ReleaseOf(*lease), &released);
}

}  // namespace

void ReadNoAnswers(Attacker* attacker) {
  constexpr int kSessions = 8;
  RawClient client = attacker->Connect();
  std::vector<std::thread> writers;
  for (int i = 0; i < kSessions; ++i) {
    const int count = attacker->Chance(20) ? 30'000 : 1000;
    writers.emplace_back([attacker, &client, count] {
      const v1::SessionRequest request = ReleaseOf(count);
      AttackSession session(attacker, &client);
      // Until the daemon reads no further, or ends it.
      while (session.Write(request)) {
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  Rest(*attacker);
}

void WatchEverything(Attacker* attacker) {
  constexpr int kStats = 100;
  constexpr int kBuffers = 300;
  constexpr int kHealth = 50;
  RawClient client = attacker->Connect();
  const auto health = grpc::health::v1::Health::NewStub(client.channel());
  // First, so that it outlives the streams.
  Contexts contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GetStatsResponse>>> stats;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::BufferEvent>>> buffers;
  std::vector<std::unique_ptr<
      grpc::ClientReader<grpc::health::v1::HealthCheckResponse>>>
      healths;
  v1::WatchStatsRequest request;
  request.mutable_interval()->set_nanos(100'000'000);
  for (int i = 0; i < kStats && !attacker->Over(); ++i) {
    stats.push_back(
        client.stub().WatchStats(Add(attacker, &contexts), request));
  }
  for (int i = 0; i < kBuffers && !attacker->Over(); ++i) {
    buffers.push_back(client.stub().WatchBuffers(Add(attacker, &contexts),
                                                 v1::WatchBuffersRequest()));
  }
  for (int i = 0; i < kHealth && !attacker->Over(); ++i) {
    healths.push_back(health->Watch(Add(attacker, &contexts),
                                    grpc::health::v1::HealthCheckRequest()));
  }
  // Of some everything is read.
  v1::GetStatsResponse answer;
  while (!stats.empty() && stats.front()->Read(&answer)) {
  }
  Rest(*attacker);
  for (const auto& context : contexts) context->TryCancel();
}

void WaitForNamesThatNeverCome(Attacker* attacker) {
  constexpr int kWaits = 4000;
  constexpr int kAtATime = 50;
  RawClient client = attacker->Connect();
  RawClient sealer = attacker->Connect();
  AttackSession session(attacker, &client);
  // Of one name many wait at once.
  const std::string awaited =
      absl::StrCat("awaited-", KernelRandom::Get().Next().ToHex());
  for (int i = 1; i <= kWaits && !attacker->Over(); ++i) {
    const bool one = attacker->Chance(50);
    session.Write(AttachOf(
        one ? awaited : absl::StrCat("never-", attacker->Draw(kWaits)), i));
    // Its answers are read by nobody, so it may take long.
    if (i % kAtATime == 0 && attacker->Chance(5)) {
      SealOne(attacker, &sealer, awaited);
    }
  }
  SealOne(attacker, &sealer, awaited);
  if (attacker->Chance(50)) {
    // Else the stream is cancelled with all that wait in it.
    for (int i = 0; i < kWaits && session.ReadReply().has_value(); ++i) {
    }
  }
}

}  // namespace warmpool::torture
