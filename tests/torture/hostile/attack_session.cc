#include "tests/torture/hostile/attack_session.h"

#include <algorithm>

namespace warmpool::torture {
namespace {

uint64_t RefusalsIn(const v1::SessionReply& reply) {
  const auto& outcomes = reply.lease_many().outcomes();
  return (reply.status().code() != 0 ? 1 : 0) +
         static_cast<uint64_t>(std::count_if(
             outcomes.begin(), outcomes.end(),
             [](const auto& outcome) { return outcome.result().code() != 0; }));
}

}  // namespace

AttackSession::AttackSession(Attacker* attacker, testing::RawClient* client)
    : attacker_(*attacker) {
  attacker_.SetDeadline(&context_);
  stream_ = client->stub().Session(&context_);
}

AttackSession::~AttackSession() { Cancel(); }

bool AttackSession::Write(const v1::SessionRequest& request) {
  attacker_.Count(0);
  return stream_->Write(request);
}

std::optional<v1::SessionReply> AttackSession::ReadReply() {
  v1::SessionResponse response;
  while (stream_->Read(&response)) {
    if (!response.has_reply()) continue;
    attacker_.Count(RefusalsIn(response.reply()), 0);
    return response.reply();
  }
  return std::nullopt;
}

v1::SessionRequest LeaseManyOf(uint64_t tag, int count, uint64_t bytes) {
  v1::SessionRequest request;
  request.set_tag(tag);
  for (int i = 0; i < count; ++i) {
    *request.mutable_lease_many()->add_leases() =
        testing::RawClient::LeaseOf(bytes);
  }
  return request;
}

}  // namespace warmpool::torture
