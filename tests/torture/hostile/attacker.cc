#include "tests/torture/hostile/attacker.h"

#include <chrono>
#include <utility>

#include "core/base/clock.h"

namespace warmpool::torture {

using testing::RawClient;

Attacker::Attacker(Options options)
    : options_(std::move(options)), random_(options_.seed) {}

void Attacker::LastFor(absl::Duration span) {
  until_ = MonotonicClock::Get().Now() + span;
}

bool Attacker::Over() const { return MonotonicClock::Get().Now() >= until_; }

void Attacker::SetDeadline(grpc::ClientContext* context) const {
  const absl::Duration left = until_ - MonotonicClock::Get().Now();
  context->set_wait_for_ready(true);
  context->set_deadline(std::chrono::system_clock::now() +
                        absl::ToChronoMilliseconds(left));
}

std::optional<v1::GrantedLease> Attacker::Lease(
    RawClient* client, const v1::LeaseRequest& request) {
  v1::LeaseResponse response;
  if (!Call(client, &RawClient::Stub::Lease, request, &response).ok()) {
    return std::nullopt;
  }
  return response.lease();
}

void Attacker::Count(uint64_t refusals, uint64_t requests) {
  requests_ += requests;
  refusals_ += refusals;
}

void Attacker::FoundBreach(absl::string_view what) {
  if (breach_.empty()) breach_ = std::string(what);
}

}  // namespace warmpool::torture
