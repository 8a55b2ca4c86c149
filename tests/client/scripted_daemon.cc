#include "tests/client/scripted_daemon.h"

#include <fcntl.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "core/base/random_id.h"

namespace warmpool {
namespace {

int OrDie(int result, const char* what) {
  if (result >= 0) return result;
  std::perror(what);
  std::abort();
}

}  // namespace

// Answers in the order of the requests. Deletes itself.
class ScriptedDaemon::Session final
    : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit Session(ScriptedDaemon* daemon) : daemon_(*daemon) {
    {
      MutexLock lock(&daemon_.mutex_);
      daemon_.sessions_.insert(this);
    }
    StartRead(&request_);
  }

  void Send(v1::SessionResponse response) {
    MutexLock lock(&mutex_);
    SendLocked(std::move(response));
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      return Update([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        reads_done_ = true;
      });
    }
    if (request_.released_size() > 0) {
      v1::ReleaseRequest released;
      *released.mutable_leases() = request_.released();
      v1::ReleaseResponse unused;
      Handle(daemon_.on_release, released, &unused);
    }
    if (request_.has_idle() && daemon_.on_idle)
      daemon_.on_idle(request_.idle());
    if (request_.request_case() != v1::SessionRequest::REQUEST_NOT_SET) {
      {
        MutexLock lock(&mutex_);
        ++answering_;
      }
      // A handler may wait for a later request of the same Session.
      std::thread([this, request = request_] {
        v1::SessionResponse response;
        Answer(request, response.mutable_reply());
        Update([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
          --answering_;
          SendLocked(std::move(response));
        });
      }).detach();
    }
    StartRead(&request_);
  }

  void OnWriteDone(bool ok) override {
    Update([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      outgoing_.pop_front();
      if (!ok) outgoing_.clear();
      if (!outgoing_.empty()) StartWrite(&outgoing_.front());
    });
  }

  void OnCancel() override {
    Update([this]()
               ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { cancelled_ = true; });
  }

  void OnDone() override {
    {
      MutexLock lock(&daemon_.mutex_);
      daemon_.sessions_.erase(this);
    }
    delete this;
  }

 private:
  template <typename Request, typename Response>
  static grpc::Status Handle(const Handler<Request, Response>& handler,
                             const Request& request, Response* response) {
    if (handler) return handler(request, response);
    return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no handler");
  }

  void Answer(const v1::SessionRequest& request, v1::SessionReply* reply) {
    grpc::Status status;
    if (request.has_lease()) {
      status =
          Handle(daemon_.on_lease, request.lease(), reply->mutable_lease());
    } else if (request.has_attach()) {
      status =
          Handle(daemon_.on_attach, request.attach(), reply->mutable_attach());
    } else if (request.has_release()) {
      status = Handle(daemon_.on_release, request.release(),
                      reply->mutable_release());
    } else if (request.has_renew()) {
      status =
          Handle(daemon_.on_renew, request.renew(), reply->mutable_renew());
    } else if (request.has_make_ticket()) {
      status = Handle(daemon_.on_make_ticket, request.make_ticket(),
                      reply->mutable_make_ticket());
    } else if (request.has_lease_many()) {
      status = Handle(daemon_.on_lease_many, request.lease_many(),
                      reply->mutable_lease_many());
    }
    if (!status.ok()) reply->clear_response();
    reply->set_tag(request.tag());
    reply->mutable_status()->set_code(status.error_code());
    reply->mutable_status()->set_message(status.error_message());
  }

  void SendLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (cancelled_ || finished_) return;
    outgoing_.push_back(std::move(response));
    if (outgoing_.size() == 1) StartWrite(&outgoing_.front());
  }

  // Does `change` and finishes if that was the last of the Session. Nothing may
  // be touched afterwards.
  void Update(absl::FunctionRef<void()> change) {
    bool finish = false;
    grpc::Status status;
    {
      MutexLock lock(&mutex_);
      change();
      const bool idle = reads_done_ && outgoing_.empty();
      if (answering_ == 0 && (idle || cancelled_)) {
        finish = !std::exchange(finished_, true);
      }
      if (cancelled_) status = grpc::Status::CANCELLED;
    }
    if (finish) Finish(status);
  }

  ScriptedDaemon& daemon_;
  v1::SessionRequest request_;

  Mutex mutex_;
  std::deque<v1::SessionResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  int answering_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class ScriptedDaemon::Service final : public v1::MemoryPool::CallbackService {
 public:
  explicit Service(ScriptedDaemon* daemon) : daemon_(*daemon) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;

  Reactor* Lease(Context* context, const v1::LeaseRequest* request,
                 v1::LeaseResponse* response) override {
    return Answer(context, daemon_.on_lease, *request, response);
  }
  Reactor* Attach(Context* context, const v1::AttachRequest* request,
                  v1::AttachResponse* response) override {
    return Answer(context, daemon_.on_attach, *request, response);
  }
  Reactor* Release(Context* context, const v1::ReleaseRequest* request,
                   v1::ReleaseResponse* response) override {
    return Answer(context, daemon_.on_release, *request, response);
  }
  Reactor* Renew(Context* context, const v1::RenewRequest* request,
                 v1::RenewResponse* response) override {
    // Of a client that connects.
    if (request->renewals().empty()) {
      return Answer<v1::RenewRequest, v1::RenewResponse>(
          context, [](const auto&, auto*) { return grpc::Status::OK; },
          *request, response);
    }
    return Answer(context, daemon_.on_renew, *request, response);
  }
  Reactor* Assert(Context* context, const v1::AssertRequest* request,
                  v1::AssertResponse* response) override {
    return Answer(context, daemon_.on_assert, *request, response);
  }
  Reactor* ListBuffers(Context* context, const v1::ListBuffersRequest* request,
                       v1::ListBuffersResponse* response) override {
    return Answer(context, daemon_.on_list_buffers, *request, response);
  }
  Reactor* GetStats(Context* context, const v1::GetStatsRequest* request,
                    v1::GetStatsResponse* response) override {
    return Answer(context, daemon_.on_get_stats, *request, response);
  }
  Reactor* Shutdown(Context* context, const v1::ShutdownRequest* request,
                    v1::ShutdownResponse* response) override {
    return Answer(context, daemon_.on_shutdown, *request, response);
  }
  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      Context*) override {
    return new ScriptedDaemon::Session(&daemon_);
  }

 private:
  template <typename Request, typename Response>
  Reactor* Answer(Context* context, const Handler<Request, Response>& handler,
                  const Request& request, Response* response) {
    Reactor* const reactor = context->DefaultReactor();
    reactor->Finish(
        handler ? handler(request, response)
                : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "no handler"));
    return reactor;
  }

  ScriptedDaemon& daemon_;
};

ScriptedDaemon::ScriptedDaemon(const std::string& socket_name)
    : socket_name_(socket_name), service_(std::make_unique<Service>(this)) {
  // Socket paths must be short, so not Bazel's test directory.
  char directory[] = "/tmp/warmpool-test-XXXXXX";
  if (mkdtemp(directory) == nullptr) OrDie(-1, "mkdtemp");
  directory_ = directory;
  grpc::ServerBuilder builder;
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
}

ScriptedDaemon::~ScriptedDaemon() {
  if (acceptor_.joinable()) {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
  }
  if (listener_ >= 0) close(listener_);
  server_->Shutdown();
  std::filesystem::remove_all(directory_);
}

void ScriptedDaemon::Bind() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path().copy(address.sun_path, sizeof(address.sun_path) - 1);
  listener_ = OrDie(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  OrDie(bind(listener_, reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)),
        "bind");
}

void ScriptedDaemon::Listen() {
  if (listener_ < 0) Bind();
  OrDie(listen(listener_, SOMAXCONN), "listen");
  acceptor_ = std::thread([this] { AcceptMain(); });
}

void ScriptedDaemon::AcceptMain() {
  for (;;) {
    const int accepted =
        accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) return;
    last_accepted_ = accepted;
    ++connections_;
    grpc::AddInsecureChannelFromFd(server_.get(), accepted);
  }
}

void ScriptedDaemon::SendNotice(const v1::SessionResponse& notice) {
  MutexLock lock(&mutex_);
  for (Session* const session : sessions_) session->Send(notice);
}

int ScriptedDaemon::sessions() const {
  MutexLock lock(&mutex_);
  return static_cast<int>(sessions_.size());
}

void ScriptedDaemon::LoseConnection() { shutdown(last_accepted_, SHUT_RDWR); }

v1::GrantedLease ScriptedDaemon::MakeLease(uint64_t bytes) {
  v1::GrantedLease lease;
  const RandomId id = KernelRandom::Get().Next();
  lease.set_lease_id(id.ToBytes());
  lease.set_generation(1);
  lease.set_buffer_name("auto/" + id.ToHex());
  lease.set_path(segments_.Join(id.ToHex() + ".seg"));
  lease.set_size_bytes(bytes);
  lease.set_mapped_bytes(bytes);
  lease.set_page_size_bytes(4096);
  lease.set_warmth(v1::WARMTH_FRESH);
  lease.set_zeroed(true);
  lease.set_access(v1::ACCESS_SHARED_WRITABLE);
  const int file = OrDie(
      open(lease.path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
  OrDie(posix_fallocate(file, 0, static_cast<off_t>(bytes)), "fallocate");
  close(file);
  return lease;
}

}  // namespace warmpool
