#include "server/http/http_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/check.h"
#include "google/protobuf/util/json_util.h"
#include "httplib.h"
#include "server/http/bounded_task_queue.h"
#include "server/http/metrics_text.h"
#include "server/http/status_page.h"

namespace warmpool {
namespace {

// A page, a Prometheus, and some who look.
constexpr size_t kThreads = 4;
constexpr size_t kMostConnections = 16;
// A client that sends nothing occupies a thread for so long.
constexpr time_t kPatienceSeconds = 2;
constexpr size_t kMaxRequestBytes = 4096;

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

std::string ToJson(const http::Status& status) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  WARMPOOL_CHECK(
      google::protobuf::util::MessageToJsonString(status, &json, options).ok(),
      "only an Any of an unknown type has no JSON");
  return json;
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
  absl::string_view host = host_header;
  const size_t colon = host.rfind(':');
  if (colon != absl::string_view::npos && !absl::EndsWith(host, "]")) {
    host = host.substr(0, colon);
  }
  return host == "localhost" || host == "[::1]" ||
         absl::StartsWith(host, "127.");
}

class HttplibServer final : public HttpServer {
 public:
  HttplibServer(const HttpAddress& address, Hooks hooks)
      : address_(address), hooks_(std::move(hooks)) {}

  ~HttplibServer() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
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
          "; choose another port, or end what listens there"));
    }
    address_.port = port;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  const HttpAddress& address() const override { return address_; }

 private:
  void SetUp() {
    server_.new_task_queue = [] {
      return new BoundedTaskQueue(kThreads, kMostConnections);
    };
    // Not SO_REUSEPORT, which is httplib's default: two daemons would share a
    // port, and each request find either.
    server_.set_socket_options([](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    // An idle connection would occupy a thread.
    server_.set_keep_alive_max_count(1);
    server_.set_read_timeout(kPatienceSeconds);
    server_.set_write_timeout(kPatienceSeconds);
    server_.set_payload_max_length(kMaxRequestBytes);
    server_.set_default_headers(DefaultHeaders());
    server_.set_pre_routing_handler(
        [this](const httplib::Request& request, httplib::Response& response) {
          using Handled = httplib::Server::HandlerResponse;
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
                  response.set_content(MetricsText(hooks_.status(), absl::Now()),
                                       kMetricsType);
                });
    server_.Get("/status.json",
                [this](const httplib::Request&, httplib::Response& response) {
                  response.set_content(ToJson(hooks_.status()),
                                       "application/json");
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
  httplib::Server server_;
  std::thread thread_;
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
