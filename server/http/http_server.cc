#include "server/http/http_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "google/protobuf/util/json_util.h"
#include "httplib.h"
#include "server/http/bounded_server.h"
#include "server/http/bounded_task_queue.h"
#include "server/http/metrics_text.h"
#include "server/http/status_page.h"
#include "server/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// A page, a Prometheus, and some who look.
constexpr size_t kThreads = 4;
constexpr size_t kMostConnections = 16;
// What is shown may be so old: whoever asks all the time costs no more.
constexpr absl::Duration kFreshFor = absl::Milliseconds(100);
// After the kernel refused to go on listening.
constexpr absl::Duration kListenAgain = absl::Seconds(1);

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

void AnswerJson(const http::Status& status, httplib::Response* response) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed =
      google::protobuf::util::MessageToJsonString(status, &json, options);
  if (printed.ok()) {
    response->set_content(json, "application/json");
  } else {
    response->status = 500;
    response->set_content(printed.ToString(), "text/plain");
  }
}

// Only the page's own style and script, and requests to where it came from.
httplib::Headers DefaultHeaders() {
  return {{"Cache-Control", "no-store"},
          {"X-Content-Type-Options", "nosniff"},
          {"Content-Security-Policy",
           "default-src 'none'; style-src 'unsafe-inline'; "
           "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
           "frame-ancestors 'none'"}};
}

// Whether the name is one of this machine for itself. A page of another origin
// can have its own name resolve to a loopback address, and its script would read
// what is served there (DNS rebinding).
bool NamesLoopback(const std::string& host_header) {
  const absl::StatusOr<HttpAddress> named = HttpAddress::Parse(
      absl::StrContains(host_header, ":") && !absl::EndsWith(host_header, "]")
          ? host_header
          : absl::StrCat(host_header, ":80"));
  return named.ok() && named->is_loopback();
}

class HttplibServer final : public HttpServer {
 public:
  HttplibServer(const HttpAddress& address, Hooks hooks)
      : address_(address), hooks_(std::move(hooks)) {}

  ~HttplibServer() override {
    bool listening = false;
    {
      MutexLock lock(&mutex_);
      stopping_ = true;
      listening = listening_;
    }
    stopping_condition_.NotifyAll();
    // What does not listen as yet can't be stopped. It will, or has given up.
    while (listening && !server_.is_running()) {
      std::this_thread::yield();
      MutexLock lock(&mutex_);
      listening = listening_;
    }
    server_.CutOff();
    server_.stop();
    thread_.Join();
  }

  absl::Status Listen() {
    SetUp();
    AddPages();
    errno = 0;
    const int port = address_.port == 0
                         ? server_.bind_to_any_port(address_.host)
                         : (server_.bind_to_port(address_.host, address_.port)
                                ? address_.port
                                : -1);
    if (port < 0) {
      return absl::UnavailableError(absl::StrCat(
          "--metrics_listen: can't listen on ", address_.ToString(), ": ",
          errno == 0 ? "no such address" : strerror(errno),
          "; choose another port, or an address of this machine"));
    }
    address_.port = port;
    absl::Status prepared = thread_.Prepare("wpd-metrics");
    if (prepared.ok()) prepared = CheckPoolThreads();
    if (!prepared.ok()) return prepared;
    first_tasks_ =
        std::make_unique<BoundedTaskQueue>(kThreads, kMostConnections);
    SetListening(true);
    thread_.Run([this] { ListenerMain(); });
    return absl::OkStatus();
  }

  const HttpAddress& address() const override { return address_; }

 private:
  // httplib ends the process where it gets no threads for its pool.
  static absl::Status CheckPoolThreads() {
    return CheckThreads(static_cast<int>(kThreads));
  }

  void SetListening(bool listening) {
    MutexLock lock(&mutex_);
    listening_ = listening;
  }

  // httplib gives up at errors that pass, as where the machine has no descriptor
  // left.
  void ListenerMain() {
    do {
      server_.listen_after_bind();
    } while (BindAgain());
  }

  // False: it is to stop.
  bool BindAgain() {
    MutexLock lock(&mutex_);
    listening_ = false;
    while (!stopping_) {
      spdlog::warn("metrics are not served listen={} retry={}",
                   LogValue(address_.ToString()),
                   absl::FormatDuration(kListenAgain));
      stopping_condition_.WaitFor(&mutex_, kListenAgain);
      if (stopping_) break;
      if (!CheckPoolThreads().ok()) continue;
      listening_ = server_.bind_to_port(address_.host, address_.port);
      if (listening_) return true;
    }
    return false;
  }

  // As of a moment ago.
  std::shared_ptr<const http::Status> Status() {
    const absl::Time now = clock_.Now();
    // Over the reading too: of many who ask at once one reads.
    MutexLock lock(&status_mutex_);
    if (status_ == nullptr || now >= read_at_ + kFreshFor) {
      status_ = std::make_shared<const http::Status>(hooks_.status());
      read_at_ = now;
    }
    return status_;
  }

  void SetUp() {
    server_.new_task_queue = [this] {
      return first_tasks_ != nullptr
                 ? first_tasks_.release()
                 : new BoundedTaskQueue(kThreads, kMostConnections);
    };
    // Not SO_REUSEPORT, which is httplib's default: two daemons would share a
    // port, and each request find either.
    server_.set_socket_options([](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server_.set_default_headers(DefaultHeaders());
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          using Handled = httplib::Server::HandlerResponse;
          if (request.method != "GET" && request.method != "HEAD") {
            response.status = 405;
            return Handled::Handled;
          }
          if (!address_.is_loopback() ||
              NamesLoopback(request.get_header_value("Host"))) {
            return Handled::Unhandled;
          }
          response.status = 403;
          response.set_content(
              absl::StrCat("this is served for the machine itself: ask for ",
                           address_.ToString(), "\n"),
              "text/plain");
          return Handled::Handled;
        });
  }

  void AddPages() {
    server_.Get("/", [](const httplib::Request&, httplib::Response& response) {
      response.set_content(kStatusPage, "text/html; charset=utf-8");
    });
    server_.Get("/metrics",
                [this](const httplib::Request&, httplib::Response& response) {
                  response.set_content(MetricsText(*Status(), absl::Now()),
                                       kMetricsType);
                });
    server_.Get("/status.json",
                [this](const httplib::Request&, httplib::Response& response) {
                  AnswerJson(*Status(), &response);
                });
    server_.Get("/healthz",
                [](const httplib::Request&, httplib::Response& response) {
                  response.set_content("ok\n", "text/plain");
                });
    server_.Get("/readyz",
                [this](const httplib::Request&, httplib::Response& response) {
                  const bool ready = hooks_.ready();
                  response.status = ready ? 200 : 503;
                  response.set_content(ready ? "ok\n" : "draining\n",
                                       "text/plain");
                });
  }

  HttpAddress address_;
  const Hooks hooks_;
  const Clock& clock_ = MonotonicClock::Get();
  BoundedServer server_{&clock_};
  Mutex status_mutex_;
  std::shared_ptr<const http::Status> status_ ABSL_GUARDED_BY(status_mutex_);
  absl::Time read_at_ ABSL_GUARDED_BY(status_mutex_);

  Mutex mutex_;
  CondVar stopping_condition_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Or about to.
  bool listening_ ABSL_GUARDED_BY(mutex_) = false;

  // With its threads, for when httplib begins to listen. Of the thread below once
  // that runs.
  std::unique_ptr<BoundedTaskQueue> first_tasks_;
  Thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpAddress& address, Hooks hooks) {
  auto server = std::make_unique<HttplibServer>(address, std::move(hooks));
  const absl::Status status = server->Listen();
  if (!status.ok()) return status;
  return server;
}

}  // namespace warmpool
