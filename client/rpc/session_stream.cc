#include "client/rpc/session_stream.h"

#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>

#include <algorithm>
#include <utility>

#include "client/rpc/local_channel.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

// For so long after the last call others are likely to follow, and their
// threads will read the stream: taking the turn from a thread that sleeps in it
// would cost each of them a wake-up.
constexpr absl::Duration kActiveFor = absl::Milliseconds(20);

}  // namespace

// What the completion queue gives back.
struct SessionStream::Step {
  enum class Kind { kStart, kRead, kWrite, kFinish };
  Link* link;
  Kind kind;
};

// One stream of gRPC's. Its steps under way keep it alive.
struct SessionStream::Link {
  std::shared_ptr<Stub> stub;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientAsyncReaderWriterInterface<v1::SessionRequest,
                                                         v1::SessionResponse>>
      stream;
  // Each belongs to its step while that is under way.
  v1::SessionResponse incoming;
  v1::SessionRequest written;
  grpc::Status status;

  Step start{this, Step::Kind::kStart};
  Step read{this, Step::Kind::kRead};
  Step write{this, Step::Kind::kWrite};
  Step finish{this, Step::Kind::kFinish};

  // Synchronised by the mutex of the SessionStream.
  int steps = 0;
  bool started = false;
  bool open = false;
  bool writing = false;
  // The next read was put off until there is something to write: it makes gRPC
  // tell the daemon how much more it may send, and a message of its own for
  // that would wake the daemon once more for every call.
  bool read_due = false;
  bool finished = false;
};

SessionStream::SessionStream(StubFunction stub, const Clock* clock,
                             Options options)
    : stub_(std::move(stub)), clock_(*clock), options_(std::move(options)) {}

absl::Status SessionStream::Prepare() {
  MutexLock lock(&mutex_);
  return reader_.Prepare("wp-session");
}

void SessionStream::Open() {
  {
    MutexLock lock(&mutex_);
    OpenLocked();
  }
  Pump(/*flush=*/true);
}

void SessionStream::OpenLocked() {
  if (current_ != nullptr || stopping_) return;
  links_.push_back(std::make_unique<Link>());
  current_ = links_.back().get();
  if (!reader_.running()) {
    WARMPOOL_CHECK(reader_.Start("wp-session", [this] { ReaderMain(); }).ok(),
                   "no thread was prepared");
  } else if (reader_rests_) {
    reader_changed_.NotifyOne();
  }
}

grpc::Status SessionStream::Ask(v1::SessionRequest request, absl::Time deadline,
                                v1::SessionReply* reply) {
  Call call;
  call.reply = reply;
  uint64_t tag = 0;
  {
    MutexLock lock(&mutex_);
    OpenLocked();
    call.link = current_;
    tag = ++last_tag_;
    request.set_tag(tag);
    calls_.emplace(tag, &call);
    outgoing_.Add(std::move(request));
  }
  Pump(/*flush=*/false);
  ReadIfDue();
  MutexLock lock(&mutex_);
  while (!call.done && clock_.Now() < deadline) {
    if (polling_) {
      call.changed.WaitFor(&mutex_, deadline - clock_.Now());
      continue;
    }
    polling_ = true;
    mutex_.Unlock();
    PollOnce(deadline);
    mutex_.Lock();
    polling_ = false;
  }
  last_active_ = clock_.Now();
  if (!call.done) {
    calls_.erase(tag);
    outgoing_.RemoveIf([tag](uint64_t waiting) { return waiting == tag; });
    call.status =
        grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "no reply in time");
  }
  EndTurnLocked();
  return call.status;
}

void SessionStream::EndTurnLocked() {
  if (polling_) return;
  if (!calls_.empty()) {
    calls_.begin()->second->changed.NotifyOne();
  } else if (reader_rests_) {
    reader_changed_.NotifyOne();
  }
}

void SessionStream::Release(std::vector<v1::LeaseRef> leases) {
  bool flush = false;
  {
    MutexLock lock(&mutex_);
    OpenLocked();
    outgoing_.Release(std::move(leases));
    // Otherwise the reader sees to it.
    flush = outgoing_.gathered() >= kMaxGathered || !reader_gathers_;
  }
  Pump(flush);
}

void SessionStream::Report(const v1::IdleReport& idle) {
  {
    MutexLock lock(&mutex_);
    outgoing_.Report(idle);
  }
  Pump(/*flush=*/true);
}

void SessionStream::Pump(bool flush) {
  Link* link = nullptr;
  bool start = false;
  {
    MutexLock lock(&mutex_);
    link = current_;
    if (link == nullptr) return;
    if (flush) outgoing_.Flush();
    start = !std::exchange(link->started, true);
    if (!start) {
      if (!link->open || link->writing || !outgoing_.TakeNext(&link->written)) {
        return;
      }
      link->writing = true;
    }
    ++link->steps;
  }
  if (start) {
    link->stub = stub_();
    link->stream = link->stub->PrepareAsyncSession(&link->context, &queue_);
    link->stream->StartCall(&link->start);
  } else {
    link->stream->Write(link->written, &link->write);
  }
}

void SessionStream::PollOnce(absl::Time deadline) {
  void* tag = nullptr;
  bool ok = false;
  auto next = grpc::CompletionQueue::TIMEOUT;
  if (options_.busy_poll > absl::ZeroDuration()) {
    const absl::Time until = clock_.Now() + options_.busy_poll;
    do {
      next = queue_.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC));
    } while (next == grpc::CompletionQueue::TIMEOUT && clock_.Now() < until);
  }
  if (next == grpc::CompletionQueue::TIMEOUT) {
    const absl::Duration left = deadline - clock_.Now();
    next = queue_.AsyncNext(&tag, &ok,
                            GrpcDeadline(std::max(left, absl::ZeroDuration())));
  }
  // Without a tag: somebody wants the turn.
  if (next != grpc::CompletionQueue::GOT_EVENT || tag == nullptr) return;
  Link* const link = static_cast<Step*>(tag)->link;
  switch (static_cast<Step*>(tag)->kind) {
    case Step::Kind::kStart: OnStarted(link, ok); break;
    case Step::Kind::kRead: OnRead(link, ok); break;
    case Step::Kind::kWrite: OnWritten(link, ok); break;
    case Step::Kind::kFinish: OnFinished(link); break;
  }
  EndStep(link);
}

void SessionStream::OnStarted(Link* link, bool ok) {
  if (!ok) return Finish(link);
  Read(link);
  {
    MutexLock lock(&mutex_);
    link->open = true;
    // A daemon knows of what it was told in this stream.
    outgoing_.ReportAgain();
  }
  Pump(/*flush=*/true);
}

void SessionStream::Read(Link* link) {
  {
    MutexLock lock(&mutex_);
    ++link->steps;
  }
  link->stream->Read(&link->incoming, &link->read);
}

void SessionStream::Finish(Link* link) {
  {
    MutexLock lock(&mutex_);
    ++link->steps;
  }
  link->stream->Finish(&link->status, &link->finish);
}

void SessionStream::OnRead(Link* link, bool ok) {
  // The stream has ended; how, Finish tells.
  if (!ok) return Finish(link);
  if (!link->incoming.has_reply()) {
    if (options_.on_notice) options_.on_notice(link->incoming);
    return Read(link);
  }
  {
    MutexLock lock(&mutex_);
    const auto it = calls_.find(link->incoming.reply().tag());
    // Otherwise its caller has given up.
    if (it != calls_.end()) {
      Call& call = *it->second;
      *call.reply = std::move(*link->incoming.mutable_reply());
      call.done = true;
      call.changed.NotifyOne();
      calls_.erase(it);
    }
    link->read_due = calls_.empty();
    if (link->read_due) return;
  }
  Read(link);
}

void SessionStream::ReadIfDue() {
  Link* link = nullptr;
  {
    MutexLock lock(&mutex_);
    link = current_;
    if (link == nullptr || !std::exchange(link->read_due, false)) return;
    ++link->steps;
  }
  link->stream->Read(&link->incoming, &link->read);
}

void SessionStream::OnWritten(Link* link, bool ok) {
  {
    MutexLock lock(&mutex_);
    link->writing = false;
  }
  if (ok) Pump(/*flush=*/false);
}

void SessionStream::OnFinished(Link* link) {
  grpc::Status status = link->status;
  if (status.ok()) {
    status = grpc::Status(grpc::StatusCode::UNAVAILABLE,
                          "the daemon ended the session");
  }
  {
    MutexLock lock(&mutex_);
    link->finished = true;
    if (current_ == link) current_ = nullptr;
    outgoing_.RemoveIf([&](uint64_t tag) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return calls_.at(tag)->link == link;
    });
    // The daemon is asked what it still has for this client.
    if (current_ == nullptr) outgoing_.ForgetReleases();
    absl::erase_if(calls_, [&](const auto& entry) {
      Call& call = *entry.second;
      if (call.link != link) return false;
      call.status = status;
      call.done = true;
      call.changed.NotifyOne();
      return true;
    });
    if (stopping_) return;
  }
  if (options_.on_lost) options_.on_lost();
}

void SessionStream::EndStep(Link* link) {
  std::unique_ptr<Link> ended;
  MutexLock lock(&mutex_);
  if (--link->steps > 0 || !link->finished) return;
  const auto it = std::find_if(
      links_.begin(), links_.end(),
      [link](const auto& candidate) { return candidate.get() == link; });
  ended = std::move(*it);
  links_.erase(it);
}

void SessionStream::ReaderMain() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    const bool active = clock_.Now() - last_active_ < kActiveFor;
    if (active) {
      // The callers read.
      reader_gathers_ = true;
      reader_changed_.WaitFor(&mutex_, kGatherFor);
      reader_gathers_ = false;
      if (outgoing_.gathered() == 0) continue;
      mutex_.Unlock();
      Pump(/*flush=*/true);
      mutex_.Lock();
    } else if (current_ != nullptr && current_->read_due) {
      mutex_.Unlock();
      ReadIfDue();
      mutex_.Lock();
    } else if (polling_ || links_.empty()) {
      reader_rests_ = true;
      reader_changed_.Wait(&mutex_);
      reader_rests_ = false;
    } else {
      polling_ = true;
      mutex_.Unlock();
      PollOnce(absl::InfiniteFuture());
      mutex_.Lock();
      polling_ = false;
      if (!calls_.empty()) EndTurnLocked();
    }
  }
}

SessionStream::~SessionStream() {
  Close();
  queue_.Shutdown();
  void* tag = nullptr;
  for (bool ok = false; queue_.Next(&tag, &ok);) {
  }
}

void SessionStream::Close() {
  Thread reader;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    reader = std::move(reader_);
  }
  if (!reader.running()) return;
  alarm_.Set(&queue_, gpr_now(GPR_CLOCK_MONOTONIC), nullptr);
  reader_changed_.NotifyOne();
  reader.Join();
  EndLinks();
}

void SessionStream::EndLinks() {
  const absl::Time deadline = clock_.Now() + kCloseWithin;
  bool said_all = false;
  bool cancelled = false;
  for (;;) {
    Pump(/*flush=*/true);
    ReadIfDue();
    Link* link = nullptr;
    {
      MutexLock lock(&mutex_);
      if (links_.empty()) return;
      link = current_;
      const bool sent = link != nullptr && link->open && !link->writing &&
                        outgoing_.gathered() == 0;
      if (sent && !std::exchange(said_all, true)) {
        link->writing = true;
        ++link->steps;
      } else {
        link = nullptr;
      }
    }
    if (link != nullptr) link->stream->WritesDone(&link->write);
    const bool late = clock_.Now() >= deadline;
    if (late && !std::exchange(cancelled, true)) {
      MutexLock lock(&mutex_);
      for (const std::unique_ptr<Link>& open : links_) {
        open->context.TryCancel();
      }
    }
    PollOnce(cancelled ? clock_.Now() + kCloseWithin : deadline);
  }
}

}  // namespace warmpool
