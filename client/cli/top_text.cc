#include "client/cli/top_text.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/cli/figures.h"
#include "client/tool/format.h"
#include "client/tool/table.h"
#include "core/base/byte_size.h"

namespace warmpool {
namespace {

constexpr size_t kBarColumns = 60;
// The lines of a few holders: an empty one, the columns' names, three of them.
constexpr size_t kFewHolders = 5;

std::string DaemonLine(const v1::GetStatsResponse& stats) {
  return absl::StrCat("warmpool: pid ", stats.pid(), ", up ",
                      FormatAge(ToDuration(stats.uptime())), ", ",
                      stats.draining() ? "draining" : "serving", ", ",
                      FormatByteSize(stats.bytes().capacity_bytes()), " in ",
                      stats.shm_dir());
}

std::string RateText(const cli::TopFrame& frame, const cli::TopFrame* before) {
  if (before == nullptr || before->stats().pid() != frame.stats().pid()) {
    return "-";
  }
  const double seconds =
      absl::ToDoubleSeconds(ToDuration(frame.stats().uptime()) -
                            ToDuration(before->stats().uptime()));
  const uint64_t granted = GrantedLeases(frame.stats().leases());
  const uint64_t granted_before = GrantedLeases(before->stats().leases());
  // Or it is another one of the same pid, as in a container.
  if (seconds <= 0 || granted < granted_before) return "-";
  const auto grown = static_cast<double>(granted - granted_before);
  return FormatCount(static_cast<uint64_t>(std::llround(grown / seconds)));
}

uint64_t Refused(const v1::LeaseCounts& leases) {
  return leases.refused_invalid() + leases.refused_exhausted() +
         leases.refused_name_taken() + leases.refused_draining() +
         leases.refused_other();
}

// `text` in lines that fit, after the first each with an indent.
std::string Wrapped(absl::string_view text, size_t columns, size_t indent) {
  std::string lines;
  size_t used = 0;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (used > 0 && indent + used + 1 + word.size() > columns) {
      absl::StrAppend(&lines, "\n", std::string(indent, ' '));
      used = 0;
    }
    absl::StrAppend(&lines, used > 0 ? " " : "", word);
    used += word.size() + (used > 0 ? 1 : 0);
  }
  return lines;
}

std::string FiguresText(const cli::TopFrame& frame, const cli::TopFrame* before,
                        size_t columns) {
  const v1::GetStatsResponse& stats = frame.stats();
  const v1::LeaseCounts& leases = stats.leases();
  Table table("ll");
  table.AddRow(
      {"hit ratio", absl::StrCat(HitRatioText(stats.recent().leases()),
                                 " in the last 10 s, ", HitRatioText(leases),
                                 " since the start")});
  table.AddRow(
      {"leases", absl::StrCat(FormatCount(leases.live_leases()), " live, ",
                              RateText(frame, before), " granted per second")});
  table.AddRow(
      {"latency", absl::StrCat(LatencyText(stats.recent().rpcs(), "Lease"),
                               " in the daemon, in the last 10 s")});
  table.AddRow(
      {"refused", absl::StrCat(FormatCount(Refused(leases)), ", the last ",
                               LastRefusalText(stats))});
  std::string text = table.ToString();
  if (!stats.last_refusal().message().empty()) {
    constexpr absl::string_view kWhy = "why        ";
    absl::StrAppend(
        &text, kWhy,
        Wrapped(stats.last_refusal().message(), columns, kWhy.size()), "\n");
  }
  return text;
}

// "[####iirrs.......]", each byte where it is.
std::string BytesText(const v1::ByteAccount& bytes) {
  const uint64_t in_use =
      bytes.leased_bytes() -
      std::min(bytes.leased_bytes(), bytes.idle_in_clients_bytes());
  const std::tuple<char, const char*, uint64_t> parts[] = {
      {'#', "leased", in_use},
      {'i', "idle in clients", bytes.idle_in_clients_bytes()},
      {'r', "retained", bytes.retained_bytes()},
      {'s', "stock", bytes.stock_bytes()},
      {'b', "batched", bytes.batched_bytes()},
      {'q', "quarantined", bytes.quarantined_bytes()},
      {'o', "overhead", bytes.overhead_bytes()},
      {'.', "free", bytes.free_bytes()},
  };
  std::string bar;
  std::vector<std::string> legend;
  uint64_t sum = 0;
  for (const auto& [letter, name, value] : parts) {
    sum += value;
    const double share =
        static_cast<double>(sum) /
        static_cast<double>(std::max<uint64_t>(bytes.capacity_bytes(), 1));
    const auto end =
        static_cast<size_t>(std::lround(std::min(share, 1.0) * kBarColumns));
    if (end > bar.size()) bar.append(end - bar.size(), letter);
    legend.push_back(absl::StrCat(std::string(1, letter), " ", name, " ",
                                  FormatByteSize(value)));
  }
  const auto line = [&legend](size_t begin, size_t end) {
    std::string text;
    for (size_t i = begin; i < end; ++i) {
      absl::StrAppend(&text, i == begin ? "" : "   ", legend[i]);
    }
    return absl::StrCat(text, "\n");
  };
  return absl::StrCat("[", bar, "]\n", line(0, 4), line(4, legend.size()));
}

std::string HoldersText(const cli::TopFrame& frame) {
  Table table("rrlrrrr");
  table.AddRow({"PID", "UID", "COMMAND", "LEASES", "LEASED", "SHARE", "IDLE"});
  for (const v1::HolderUsage& holder : frame.holders()) {
    table.AddRow({absl::StrCat(holder.pid()), absl::StrCat(holder.uid()),
                  holder.command().empty() ? "?" : holder.command(),
                  FormatCount(holder.leases()),
                  FormatByteSize(holder.leased_bytes()),
                  FormatShare(holder.leased_bytes(),
                              frame.stats().bytes().leased_bytes()),
                  FormatByteSize(holder.idle_bytes())});
  }
  return table.ToString();
}

// What is leased though no process has it.
std::string UnheldText(const cli::TopFrame& frame) {
  if (frame.unheld().empty()) return "";
  Table table("rrlrrll");
  table.AddRow(
      {"MAKER", "UID", "COMMAND", "LEASED", "TIME LEFT", "KIND", "NAME"});
  for (const v1::UnheldBuffer& buffer : frame.unheld()) {
    table.AddRow(
        {buffer.maker_pid() == 0 ? "-" : absl::StrCat(buffer.maker_pid()),
         absl::StrCat(buffer.uid()),
         buffer.maker_command().empty() ? "?" : buffer.maker_command(),
         FormatByteSize(buffer.mapped_bytes()),
         FormatAge(ToDuration(buffer.ttl_left())),
         buffer.state() == v1::LEASE_STATE_TICKET ? "ticket" : "lingering",
         buffer.name()});
  }
  return absl::StrCat("\n", table.ToString());
}

}  // namespace

std::optional<HolderOrder> HolderOrderNamed(absl::string_view name) {
  if (name == "bytes") return HolderOrder::kBytes;
  if (name == "leases") return HolderOrder::kLeases;
  if (name == "idle") return HolderOrder::kIdle;
  if (name == "pid") return HolderOrder::kPid;
  if (name == "command") return HolderOrder::kCommand;
  return std::nullopt;
}

void SortHolders(HolderOrder order, cli::TopFrame* frame) {
  const auto comes_before = [order](const v1::HolderUsage& a,
                                    const v1::HolderUsage& b) {
    switch (order) {
      case HolderOrder::kBytes: return a.leased_bytes() > b.leased_bytes();
      case HolderOrder::kLeases: return a.leases() > b.leases();
      case HolderOrder::kIdle: return a.idle_bytes() > b.idle_bytes();
      case HolderOrder::kPid: return a.pid() < b.pid();
      case HolderOrder::kCommand: return a.command() < b.command();
    }
    return false;
  };
  std::stable_sort(frame->mutable_holders()->begin(),
                   frame->mutable_holders()->end(), comes_before);
}

std::string TopText(const cli::TopFrame& frame, const cli::TopFrame* before,
                    size_t columns, size_t rows) {
  const std::string head = absl::StrCat(DaemonLine(frame.stats()), "\n\n",
                                        FiguresText(frame, before, columns));
  const std::string bytes =
      absl::StrCat("\n", BytesText(frame.stats().bytes()));
  const auto lines_of = [](const std::string& part) {
    return static_cast<size_t>(std::count(part.begin(), part.end(), '\n'));
  };
  // Who holds the most comes before where the bytes are.
  const bool has_room = lines_of(head) + lines_of(bytes) + kFewHolders <= rows;
  const std::string text = absl::StrCat(head, has_room ? bytes : "", "\n",
                                        HoldersText(frame), UnheldText(frame));
  std::string cut;
  size_t lines = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (++lines > rows) break;
    absl::StrAppend(&cut, line.substr(0, columns), "\n");
  }
  // The text ends in a newline, after which there is an empty line.
  if (lines <= rows) cut.pop_back();
  return cut;
}

}  // namespace warmpool
