#include "tests/torture/saboteur.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace warmpool::torture {
namespace {

// Every so many buffers that a client has stamped loses its lease.
constexpr uint64_t kStampedPerLoss = 20;
// More need not be kept open to be noticed.
constexpr size_t kMostKeptOpen = 16;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

Saboteur::Saboteur(Sabotage sabotage, std::string directory)
    : sabotage_(sabotage), journal_(std::move(directory) + "/private/") {}

Saboteur::~Saboteur() {
  for (const int fd : kept_open_) close(fd);
}

void Saboteur::OnReport(int client, const Report& report,
                        DaemonControl& daemon) {
  if (sabotage_ < Sabotage::kLostLease) return;
  switch (report.kind) {
    case Report::Kind::kGranted:
      holdings_[report.lease] = {client, report.text};
      return;
    case Report::Kind::kStamped:
      if (sabotage_ == Sabotage::kLostLease &&
          ++stamped_ % kStampedPerLoss == 0 && daemon.serves()) {
        (void)daemon.admin().Revoke(report.lease.ToBytes());
      }
      return;
    case Report::Kind::kSealed:
      if (sabotage_ == Sabotage::kChangedSeal) {
        ChangeByte(holdings_[report.lease].path);
      }
      return;
    case Report::Kind::kReleasing:
    case Report::Kind::kTicketing: holdings_.erase(report.lease); return;
    default: return;
  }
}

void Saboteur::ChangeByte(const std::string& path) const {
  // Its owner may change its mode whatever that is.
  (void)chmod(path.c_str(), 0600);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  char byte;
  if (pread(fd, &byte, 1, 0) == 1) {
    ++byte;
    (void)!pwrite(fd, &byte, 1, 0);
  }
  close(fd);
}

void Saboteur::BeforeKill(int client) {
  absl::erase_if(holdings_, [&](const auto& item) {
    if (item.second.client != client) return false;
    if (sabotage_ == Sabotage::kKeptMemory &&
        kept_open_.size() < kMostKeptOpen) {
      const int fd = open(item.second.path.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd >= 0) kept_open_.push_back(fd);
    }
    return true;
  });
}

void Saboteur::OnPause() {
  // Once, so that it becomes older and older.
  if (sabotage_ != Sabotage::kOldJournal || !old_journal_.empty()) return;
  std::error_code error;
  for (const auto& file :
       std::filesystem::directory_iterator(journal_, error)) {
    const std::string name = file.path().filename().string();
    if (name == "journal" || name == "journal.spare") {
      old_journal_[name] = ReadFile(file.path().string());
    }
  }
}

void Saboteur::OnNoDaemon() {
  for (const auto& [name, bytes] : old_journal_) {
    std::ofstream file(journal_ + name, std::ios::binary | std::ios::in);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace warmpool::torture
