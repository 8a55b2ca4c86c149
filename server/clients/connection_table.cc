#include "server/clients/connection_table.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

// Entries that ForgetClosed looks at. Each connection that comes and each that
// goes calls it, so this is enough to keep up.
constexpr int kLookedAt = 4;

// 0: the number is free.
ino_t InodeOf(int number) {
  struct stat file;
  return fstat(number, &file) == 0 ? file.st_ino : 0;
}

}  // namespace

absl::Status ConnectionTable::CheckRoom(uid_t uid) const {
  if (CountOf(uid) < max_per_uid_) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "uid ", uid, " has ", CountOf(uid), " connections of the ", max_per_uid_,
      " that one uid may have (--max_connections_per_uid)"));
}

std::optional<ConnectionTable::Serial> ConnectionTable::OpenAt(
    int number) const {
  const auto it = connections_.find(number);
  if (it == connections_.end() || !open_.contains(it->second.serial)) {
    return std::nullopt;
  }
  return it->second.serial;
}

ConnectionTable::Serial ConnectionTable::Add(int number, HolderId holder,
                                             uid_t uid, UniqueFd watch) {
  WARMPOOL_CHECK(!OpenAt(number).has_value(),
                 "a number is another connection's that was not ended");
  const Serial serial = ++last_serial_;
  connections_[number] =
      Connection{serial, holder, uid, std::move(watch), InodeOf(number)};
  open_.emplace(serial, number);
  ++counts_[uid];
  return serial;
}

std::optional<ConnectionTable::Ended> ConnectionTable::End(Serial serial) {
  const auto it = open_.find(serial);
  if (it == open_.end()) return std::nullopt;
  Connection& connection = connections_.at(it->second);
  closing_.push_back({it->second, serial});
  open_.erase(it);
  const auto count = counts_.find(connection.uid);
  if (--count->second == 0) counts_.erase(count);
  return Ended{connection.holder, std::move(connection.watch)};
}

std::optional<HolderId> ConnectionTable::Find(int number) const {
  const auto it = connections_.find(number);
  if (it == connections_.end()) return std::nullopt;
  return it->second.holder;
}

void ConnectionTable::ForgetClosed() {
  for (int i = 0; i < kLookedAt && !closing_.empty(); ++i) {
    const Closing closing = closing_.front();
    closing_.pop_front();
    const auto it = connections_.find(closing.number);
    // Its number may be another connection's by now.
    if (it == connections_.end() || it->second.serial != closing.serial) {
      continue;
    }
    if (InodeOf(closing.number) == it->second.inode) {
      closing_.push_back(closing);
    } else {
      connections_.erase(it);
    }
  }
}

void ConnectionTable::ShutDownAll() const {
  for (const auto& [number, connection] : connections_) {
    if (connection.watch.valid()) {
      shutdown(connection.watch.get(), SHUT_RDWR);
    }
  }
}

size_t ConnectionTable::CountOf(uid_t uid) const {
  const auto it = counts_.find(uid);
  return it == counts_.end() ? 0 : it->second;
}

void ConnectionTable::CheckInvariants() const {
  absl::flat_hash_map<uid_t, size_t> counts;
  size_t open = 0;
  for (const auto& [number, connection] : connections_) {
    const auto it = open_.find(connection.serial);
    WARMPOOL_CHECK(connection.watch.valid() == (it != open_.end()),
                   "a connection that is over is watched, or one is not");
    if (it == open_.end()) continue;
    WARMPOOL_CHECK(it->second == number, "a connection of another number");
    ++open;
    ++counts[connection.uid];
  }
  WARMPOOL_CHECK(open == open_.size(), "an open connection without an entry");
  WARMPOOL_CHECK(counts == counts_, "connections of a uid do not add up");
}

}  // namespace warmpool
