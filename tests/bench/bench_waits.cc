// How long it takes from a seal until who waited for that buffer has its lease,
// with many who wait for others; and whether any is woken for nothing, or
// never.
//
//   bazel-bin/tests/bench/bench_waits --waits=1000 --rounds=100000
//
// All wait on one Session, so without a thread each. A round seals one buffer,
// takes the one answer that is due, gives everything back and waits for the
// name again. Nothing is mapped: measured are the daemon and the way to and
// from it.
#include <grpcpp/grpcpp.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "client/leases/connection.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(int, waits, 1000, "Buffers that are waited for at a time");
ABSL_FLAG(int, rounds, 100'000, "Seals");

namespace warmpool {
namespace {

using testing::DaemonProcess;
using testing::Eventually;

void Check(const absl::Status& status) {
  // The daemon is ended on the way out.
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::string NameOf(int number) { return absl::StrCat("waits/", number); }

// The Session that waits: by tag, that of the name's number and one.
class Waiter {
 public:
  explicit Waiter(const std::string& target)
      : stub_(v1::MemoryPool::NewStub(
            grpc::CreateChannel(target, grpc::InsecureChannelCredentials()))),
        stream_(stub_->Session(&context_)),
        reader_([this] { ReaderMain(); }) {}
  ~Waiter() {
    context_.TryCancel();
    reader_.join();
  }

  // Gives back the lease that is empty, or not, and waits for the name.
  void Wait(int number, const v1::GrantedLease& given_back) {
    v1::SessionRequest request;
    if (!given_back.lease_id().empty()) {
      request.add_released()->set_lease_id(given_back.lease_id());
    }
    request.set_tag(static_cast<uint64_t>(number) + 1);
    v1::AttachRequest& attach = *request.mutable_attach();
    attach.set_request_id(KernelRandom::Get().Next().ToBytes());
    attach.set_name(NameOf(number));
    attach.mutable_wait()->set_seconds(3600);
    if (!stream_->Write(request)) {
      throw std::runtime_error("the stream is lost");
    }
  }

  struct Answer {
    v1::SessionReply reply;
    absl::Time at;
  };
  // The next answer, or none within 10 s.
  bool Take(Answer* answer) {
    const Clock& clock = MonotonicClock::Get();
    const absl::Time end = clock.Now() + absl::Seconds(10);
    MutexLock lock(&mutex_);
    while (answers_.empty() && clock.Now() < end) {
      changed_.WaitFor(&mutex_, end - clock.Now());
    }
    if (answers_.empty()) return false;
    *answer = std::move(answers_.back());
    answers_.pop_back();
    return true;
  }
  size_t left() {
    MutexLock lock(&mutex_);
    return answers_.size();
  }

 private:
  void ReaderMain() {
    for (v1::SessionResponse response; stream_->Read(&response);) {
      const absl::Time now = MonotonicClock::Get().Now();
      if (!response.has_reply()) continue;
      {
        MutexLock lock(&mutex_);
        answers_.push_back({std::move(*response.mutable_reply()), now});
      }
      changed_.NotifyOne();
    }
  }

  grpc::ClientContext context_;
  const std::unique_ptr<v1::MemoryPool::Stub> stub_;
  const std::unique_ptr<
      grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>>
      stream_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

struct Result {
  std::vector<double> taken_us;
  int lost = 0;
  int wrong = 0;
};

void Round(Connection& giver, Waiter& waiter, int number, Result* result) {
  v1::LeaseRequest request;
  request.set_size_bytes(4096);
  request.set_name(NameOf(number));
  const absl::StatusOr<HeldLease> lease = giver.Lease(request);
  Check(lease.status());
  const absl::Time start = MonotonicClock::Get().Now();
  Check(giver.Seal(lease->granted, v1::SealRequest()));
  Waiter::Answer answer;
  if (!waiter.Take(&answer)) {
    ++result->lost;
    return;
  }
  const bool right = answer.reply.tag() == static_cast<uint64_t>(number) + 1 &&
                     answer.reply.status().code() == 0 && waiter.left() == 0;
  result->wrong += !right;
  result->taken_us.push_back(absl::ToDoubleMicroseconds(answer.at - start));
  Check(giver.Release(lease->granted));
  waiter.Wait(number, answer.reply.attach().lease());
}

int Run() {
  const int waits = absl::GetFlag(FLAGS_waits);
  DaemonProcess daemon({"--default_ttl=0"},
                       testing::Runfile("server/warmpoold"));
  auto giver = Connection::Open(daemon.target(), Connection::Options());
  Check(giver.status());
  const auto admin = AdminCalls::Open(daemon.target());
  Check(admin.status());
  Waiter waiter(daemon.target());
  for (int i = 0; i < waits; ++i) waiter.Wait(i, v1::GrantedLease());
  if (!Eventually([&] {
        return (*admin)->GetStats()->leases().waiting_attaches() ==
               static_cast<uint64_t>(waits);
      })) {
    throw std::runtime_error("not all of them wait");
  }
  Result result;
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds) && result.lost == 0; ++i) {
    Round(**giver, waiter, i % waits, &result);
  }
  utsname machine{};
  uname(&machine);
  std::vector<double>& taken = result.taken_us;
  std::sort(taken.begin(), taken.end());
  const auto at = [&](double share) {
    return taken.empty() ? 0
                         : taken[static_cast<size_t>(
                               share * static_cast<double>(taken.size() - 1))];
  };
  std::printf("%s %s, %ld processors\n", machine.sysname, machine.release,
              sysconf(_SC_NPROCESSORS_ONLN));
  std::printf(
      "%d waits, %zu seals: p50 %.0f us, p99 %.0f us, longest %.0f us; "
      "woken wrongly %d, lost %d\n",
      waits, taken.size(), at(0.5), at(0.99), at(1), result.wrong, result.lost);
  return result.lost + result.wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  try {
    return warmpool::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_waits: %s\n", error.what());
    return 1;
  }
}
