#include "server/http/http_server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/base/unique_fd.h"
#include "google/protobuf/util/json_util.h"
#include "httplib.h"
#include "server/http/http_port.h"
#include "server/http/metrics_text.h"
#include "server/http/status_page.h"

namespace warmpool {
namespace {

// What is shown may be so old: whoever asks all the time costs no more.
constexpr absl::Duration kFreshFor = absl::Milliseconds(100);

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
// can have its own name resolve to a loopback address, and its script would
// read what is served there (DNS rebinding).
bool NamesLoopback(const std::string& host_header) {
  const absl::StatusOr<HttpAddress> named = HttpAddress::Parse(
      absl::StrContains(host_header, ":") && !absl::EndsWith(host_header, "]")
          ? host_header
          : absl::StrCat(host_header, ":80"));
  return named.ok() && named->is_loopback();
}

// A request that was received, and what is written in answer.
class MemoryStream final : public httplib::Stream {
 public:
  explicit MemoryStream(absl::string_view request) : request_(request) {}

  std::string TakeResponse() { return std::move(response_); }

  bool is_readable() const override { return !request_.empty(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* data, size_t size) override {
    const size_t taken = request_.copy(data, size);
    request_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }
  ssize_t write(const char* data, size_t size) override {
    response_.append(data, size);
    return static_cast<ssize_t>(size);
  }
  // Nobody asks who it is.
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

 private:
  absl::string_view request_;
  std::string response_;
};

// A client may ask for the same bytes thousands of times in one request, and
// httplib would put all of them into memory.
std::string WithoutRanges(absl::string_view request) {
  std::vector<absl::string_view> lines = absl::StrSplit(request, "\r\n");
  std::erase_if(lines, [](absl::string_view line) {
    return absl::StartsWithIgnoreCase(line, "range");
  });
  return absl::StrJoin(lines, "\r\n");
}

// What httplib knows of addresses, requests and responses, without its threads.
class HttplibPages final : public httplib::Server {
 public:
  // The socket that a successful bind_to_port has made.
  UniqueFd TakeSocket() { return UniqueFd(svr_sock_.exchange(INVALID_SOCKET)); }

  std::string Answer(const std::string& request) {
    const std::string whole = WithoutRanges(request);
    MemoryStream stream(whole);
    bool closed = false;
    process_request(stream, /*close_connection=*/true, closed, nullptr);
    return stream.TakeResponse();
  }
};

class HttplibServer final : public HttpServer {
 public:
  HttplibServer(const HttpAddress& address, Hooks hooks)
      : address_(address), hooks_(std::move(hooks)) {}

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
    absl::StatusOr<std::unique_ptr<HttpPort>> served = HttpPort::Serve(
        server_.TakeSocket(), &clock_,
        [this](const std::string& request) { return server_.Answer(request); });
    if (!served.ok()) return served.status();
    port_ = *std::move(served);
    return absl::OkStatus();
  }

  const HttpAddress& address() const override { return address_; }

 private:
  // As of a moment ago.
  const http::Status& Status() {
    const absl::Time now = clock_.Now();
    if (now >= read_at_ + kFreshFor) {
      status_ = hooks_.status();
      metrics_.clear();
      read_at_ = now;
    }
    return status_;
  }

  void SetUp() {
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
                  const http::Status& status = Status();
                  if (metrics_.empty()) {
                    metrics_ = MetricsText(status, absl::Now());
                  }
                  response.set_content(metrics_, kMetricsType);
                });
    server_.Get("/status.json",
                [this](const httplib::Request&, httplib::Response& response) {
                  AnswerJson(Status(), &response);
                });
    server_.Get("/healthz",
                [](const httplib::Request&, httplib::Response& response) {
                  response.set_content("ok\n", "text/plain");
                });
    server_.Get("/readyz", [this](const httplib::Request&,
                                  httplib::Response& response) {
      const bool ready = hooks_.ready();
      response.status = ready ? 200 : 503;
      response.set_content(ready ? "ok\n" : "draining\n", "text/plain");
    });
  }

  HttpAddress address_;
  const Hooks hooks_;
  const Clock& clock_ = MonotonicClock::Get();
  HttplibPages server_;
  // These three are the port's thread's.
  http::Status status_;
  // Of that status; empty if nobody has asked for it.
  std::string metrics_;
  absl::Time read_at_ = absl::InfinitePast();
  // Last: it uses all of the above.
  std::unique_ptr<HttpPort> port_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const HttpAddress& address, Hooks hooks) {
  auto server = std::make_unique<HttplibServer>(address, std::move(hooks));
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace warmpool
