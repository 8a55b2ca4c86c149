#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/output.pb.h"
#include "client/cli/top_text.h"
#include "client/tool/format.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "client/tool/stop_signals.h"
#include "client/tool/terminal.h"
#include "core/base/status_macros.h"

ABSL_FLAG(std::string, order, "bytes",
          "Holders by bytes, leases, idle, pid or command");
ABSL_DECLARE_FLAG(absl::Duration, interval);
ABSL_DECLARE_FLAG(uint64_t, count);

namespace warmpool {
namespace {

constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
constexpr char kKeys[] =
    "q quits; holders by b bytes, l leases, i idle, p pid, c command";
// What is not for holders: the keys, and a line for an outage.
constexpr size_t kRowsBelow = 2;
constexpr size_t kMostHolders = 1000;
// An outage is to be shown before anybody wonders.
constexpr absl::Duration kLongestWait = absl::Seconds(2);

std::optional<HolderOrder> OrderOfKey(char key) {
  switch (key) {
    case 'b': return HolderOrder::kBytes;
    case 'l': return HolderOrder::kLeases;
    case 'i': return HolderOrder::kIdle;
    case 'p': return HolderOrder::kPid;
    case 'c': return HolderOrder::kCommand;
    default: return std::nullopt;
  }
}

absl::StatusOr<cli::TopFrame> Poll(AdminCalls& admin) {
  ASSIGN_OR_RETURN(v1::GetStatsResponse stats, admin.GetStats());
  ASSIGN_OR_RETURN(v1::ListHoldersResponse holders,
                   admin.ListHolders(kMostHolders));
  cli::TopFrame frame;
  *frame.mutable_stats() = std::move(stats);
  *frame.mutable_holders() = std::move(*holders.mutable_holders());
  *frame.mutable_unheld() = std::move(*holders.mutable_unheld());
  return frame;
}

class Top {
 public:
  // What is pointed to must outlive this.
  Top(AdminCalls* admin, StopSignals* signals, HolderOrder order)
      : admin_(*admin), signals_(*signals), order_(order) {
    if (Terminal::IsThere() && !JsonWanted()) {
      terminal_ = std::make_unique<Terminal>();
    }
  }

  absl::Status Run(absl::Duration interval, uint64_t count) {
    for (uint64_t shown = 0; count == 0 || shown < count; ++shown) {
      if (shown > 0 && !Sleep(interval)) return absl::OkStatus();
      absl::StatusOr<cli::TopFrame> frame = Poll(admin_);
      if (frame.ok()) {
        before_ = std::exchange(last_, *std::move(frame));
        gone_since_.reset();
      } else if (terminal_ == nullptr || !last_.has_value()) {
        return frame.status();
      } else if (!gone_since_.has_value()) {
        gone_since_ = absl::Now();
      }
      if (!Show()) break;
    }
    return absl::OkStatus();
  }

 private:
  // False: it can't be shown.
  bool Show() {
    SortHolders(order_, &*last_);
    const cli::TopFrame* const before =
        before_.has_value() ? &*before_ : nullptr;
    if (terminal_ != nullptr) {
      const size_t rows = terminal_->rows();
      std::string text = TopText(*last_, before, terminal_->columns(),
                                 rows - std::min(rows, kRowsBelow + 1));
      if (gone_since_.has_value()) {
        absl::StrAppend(&text, "THE DAEMON DOES NOT ANSWER since ",
                        FormatAge(absl::Now() - *gone_since_),
                        "; above is what it said last\n");
      }
      terminal_->Show(absl::StrCat(text, "\n", kKeys));
      return true;
    }
    return PrintOut(
        absl::StrCat(JsonWanted() ? ToJson(*last_, JsonStyle::kLine)
                                  : TopText(*last_, before, SIZE_MAX, SIZE_MAX),
                     "\n"));
  }

  // Heeds keys meanwhile. False: that was all.
  bool Sleep(absl::Duration interval) {
    const absl::Time until = absl::Now() + interval;
    for (absl::Time now = absl::Now(); now < until; now = absl::Now()) {
      pollfd polled[] = {{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                         {.fd = terminal_ != nullptr ? STDIN_FILENO : -1,
                          .events = POLLIN,
                          .revents = 0}};
      poll(polled, 2,
           static_cast<int>(absl::ToInt64Milliseconds(
               std::max(until - now, absl::Milliseconds(1)))));
      if (signals_.Arrived()) return false;
      if (terminal_ == nullptr) continue;
      // The terminal has gone.
      if ((polled[1].revents & (POLLHUP | POLLERR)) != 0) return false;
      const char key = terminal_->ReadKey();
      if (key == 'q') return false;
      if (const std::optional<HolderOrder> order = OrderOfKey(key)) {
        order_ = *order;
        Show();
      }
    }
    return true;
  }

  AdminCalls& admin_;
  StopSignals& signals_;
  HolderOrder order_;
  std::unique_ptr<Terminal> terminal_;
  std::optional<cli::TopFrame> before_;
  std::optional<cli::TopFrame> last_;
  std::optional<absl::Time> gone_since_;
};

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool top takes no arguments");
  }
  const std::string order_name = absl::GetFlag(FLAGS_order);
  const std::optional<HolderOrder> order = HolderOrderNamed(order_name);
  if (!order.has_value()) {
    return UsageError(
        absl::StrCat("--order=", order_name,
                     " is none of bytes, leases, idle, pid, command"));
  }
  const absl::Duration interval = absl::GetFlag(FLAGS_interval);
  if (interval < kShortestInterval) {
    return UsageError(absl::StrCat(
        "--interval=", absl::FormatDuration(interval), " is below 100ms"));
  }
  // Before gRPC's threads: the terminal is to be given back.
  StopSignals signals;
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin,
                   ConnectAdmin(kLongestWait));
  return Top(admin.get(), &signals, *order)
      .Run(interval, absl::GetFlag(FLAGS_count));
}

}  // namespace

Command TopCommand() {
  return {
      .name = "top",
      .arguments = "",
      .summary = "live: hit ratio, bytes, who holds the most",
      .help =
          "Shows again and again what people ask first: the hit ratio, how "
          "fast leases are\ngranted, why the last one was refused, where "
          "the bytes are, and the processes that\nhold them; below these, "
          "what no process holds: tickets, and sealed buffers that\nlinger, "
          "with who made them. Keys: q quits; "
          "b, l, i, p, c sort the holders by bytes, leases, idle\nbytes, pid, "
          "command. Without a terminal it prints a text each time; with "
          "--json, a\nline.\n\n"
          "  warmpool top --interval=2s\n"
          "  warmpool top --count=1 --order=leases\n",
      .flags = {"order", "interval", "count"},
      .run = Run};
}

}  // namespace warmpool
