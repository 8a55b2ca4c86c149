#include "client/load/handoff/via.h"

#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace warmpool {
namespace {

constexpr std::pair<Via, absl::string_view> kNames[] = {
    {Via::kWarmpool, "warmpool"},
    {Via::kWarmpoolTicket, "warmpool_ticket"},
    {Via::kWarmpoolChannel, "warmpool_channel"},
    {Via::kGrpcUnary, "grpc_unary"},
    {Via::kGrpcStream, "grpc_stream"},
};

constexpr absl::string_view kAll = "all";

// False: there is none of that name.
bool AddNamed(absl::string_view text, std::set<Via>* vias) {
  bool found = false;
  for (const auto& [via, name] : kNames) {
    if (text != name && text != kAll) continue;
    vias->insert(via);
    found = true;
  }
  return found;
}

}  // namespace

std::string ViaName(Via via) {
  for (const auto& [known, name] : kNames) {
    if (via == known) return std::string(name);
  }
  return "";
}

bool UsesPool(Via via) {
  return via != Via::kGrpcUnary && via != Via::kGrpcStream;
}

Vias AllVias() {
  Vias all;
  for (const auto& [via, name] : kNames) all.list.push_back(via);
  return all;
}

bool AbslParseFlag(absl::string_view text, Vias* vias, std::string* error) {
  std::set<Via> named;
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    if (AddNamed(one, &named)) continue;
    *error = absl::StrCat("\"", one, "\" is none of ", kAll);
    for (const auto& [via, name] : kNames) absl::StrAppend(error, ", ", name);
    return false;
  }
  vias->list.assign(named.begin(), named.end());
  return true;
}

std::string AbslUnparseFlag(const Vias& vias) {
  if (vias.list.size() == std::size(kNames)) return std::string(kAll);
  return absl::StrJoin(vias.list, ",", [](std::string* out, Via via) {
    absl::StrAppend(out, ViaName(via));
  });
}

}  // namespace warmpool
