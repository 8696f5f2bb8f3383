#include "serve/http_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __SANITIZE_THREAD__  // the sanitizer does not understand fences; Asio's queues are behind mutexes anyway
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>

#include "base/json.h"
#include "base/log.h"
#include "chat/random_id.h"
#include "serve/access.h"
#include "serve/anthropic_api.h"
#include "serve/completions_api.h"
#include "serve/gradio_api.h"
#include "serve/http_metrics.h"
#include "serve/openai_api.h"
#include "serve/responses_api.h"
#include "serve/router.h"
#include "serve/server_info_api.h"
#include "serve/static_files.h"
#include "serve/tokenize_api.h"
#include "serve/upstream_api.h"

namespace qvl {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr size_t kReadBytes = 64 * 1024, kFirstReadBytes = 2048, kChunkBytes = 16 * 1024, kMaxChunkHeadBytes = 16 * 1024;
constexpr milliseconds kHangUpPoll{250}, kLinger{1000};

const char* reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 409:
      return "Conflict";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

// The error object for whatever a handler threw. Texts of other exceptions may hold addresses and paths: they stay
// here.
HttpResponse current_exception_response(ErrorStyle style) {
  try {
    throw;
  } catch (const Error& error) {
    return error_response(error, style);
  } catch (const std::bad_alloc&) {
    return error_response({ErrorKind::kOverloaded, "insufficient_memory", "not enough memory for this request"}, style);
  } catch (const std::exception& error) {
    log_error("request failed: {}", error.what());
  }
  return error_response({ErrorKind::kInternal, "internal_error", "the server failed on this request"}, style);
}

std::string chunked(std::string_view bytes) { return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes); }

Exchange::Poll safe_poll(Exchange& exchange, ErrorStyle style) {
  try {
    return exchange.poll();
  } catch (...) {
    return {Exchange::Poll::Kind::kResponse, {}, current_exception_response(style)};
  }
}

// Whatever still holds the process after all answers have ended, a picture that takes long to decode, does not hold it for
// long.
void end_for_sure(const ServerLimits& limits) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.drain_timeout + limits.stop_grace).count() + 2;
  std::signal(SIGALRM, [](int) { std::_Exit(0); });
  ::alarm(static_cast<unsigned>(seconds));
}

Error shutdown_error() { return {ErrorKind::kOverloaded, "server_shutdown", "the server is shutting down"}; }

// Bytes of request bodies held by all connections; gives its share back when it goes.
class BodyBudget {
 public:
  BodyBudget(std::atomic<size_t>& used, size_t limit) : used_(used), limit_(limit) {}
  ~BodyBudget() { used_ -= taken_; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;
  bool take(size_t bytes) {
    taken_ += bytes;
    return (used_ += bytes) <= limit_;
  }

 private:
  std::atomic<size_t>& used_;
  const size_t limit_;
  size_t taken_ = 0;
};

}  // namespace

struct ServerCore {
  ServerCore(ServerOptions server_options, const ModelRegistry& models)
      : options(std::move(server_options)),
        access(options.allow_hosts, options.api_key),
        router(served_routes(models, options, metrics)),
        control(asio::make_strand(*io)),
        acceptor(control),
        signals(control),
        grace_timer(control),
        workers(static_cast<size_t>(std::max(options.worker_threads, 1))) {}

  void bind();
  void run();
  void begin_stop();
  void tell_connections(bool force);
  void await_connections(Clock::time_point end_streams, Clock::time_point cut_off);
  asio::awaitable<void> accept_loop();

  const ServerOptions options;
  const std::shared_ptr<HttpMetrics> metrics = std::make_shared<HttpMetrics>();
  const AccessPolicy access;
  const Router router;
  // Shared with wakers, which the engine's thread may call while the server goes.
  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>();
  const asio::any_io_executor control;  // the strand of the three below
  tcp::acceptor acceptor;
  asio::signal_set signals;
  asio::steady_timer grace_timer;
  asio::thread_pool workers;
  bool listening = false;
  std::atomic<bool> stopping{false};  // no new requests
  std::atomic<bool> ending{false};    // running answers end as well
  std::atomic<int> connections{0};
  std::atomic<int> pending_requests{0};
  std::atomic<size_t> bodies_bytes{0};
  std::mutex live_mutex;                                        // guards live
  std::map<const void*, std::function<void(bool force)>> live;  // tells a connection of the stop; force: close at once
};

namespace {

// One client. Everything runs on the strand of its socket; only the wakers come from outside, and they post to it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore* server, tcp::socket socket);
  ~Connection();
  void start();

 private:
  enum class Read { kDone, kClosed, kRefused };  // kRefused: refusal_ says why

  asio::awaitable<void> run();
  asio::awaitable<bool> serve_one();
  asio::awaitable<bool> serve_request(const std::shared_ptr<HttpRequest>& request, const Route*& route);
  asio::awaitable<Read> read_head();
  asio::awaitable<Read> read_body(HttpRequest& request);
  asio::awaitable<bool> answer(const std::shared_ptr<HttpRequest>& request, const Route& route);
  asio::awaitable<bool> run_on_worker(const std::shared_ptr<HttpRequest>& request, const Route& route);
  asio::awaitable<bool> run_exchange(Exchange& exchange, const HttpRequest& request);
  asio::awaitable<bool> respond(const HttpRequest& request, const HttpResponse& response);
  asio::awaitable<size_t> read_more(size_t max_bytes, Clock::time_point until);
  asio::awaitable<bool> write(const std::string& bytes);
  asio::awaitable<void> wait_event(Clock::time_point until);
  asio::awaitable<void> linger();

  bool parse_head(HttpRequest& request);
  const Route* admit(const HttpRequest& request);
  void refuse(const Error& error) { refusal_ = error_response(error, error_style_); }
  void refuse_bad_request(const std::string& message) { refuse({ErrorKind::kInvalidRequest, "bad_request", message}); }
  bool advance_parser(error_code& error);
  std::function<void()> make_waker();
  void wake();
  void watch_client();
  void stop_watching();
  bool hung_up();
  void record(const HttpRequest& request, const Route* route);
  void arm(Clock::time_point until);
  void disarm();

  ServerCore* const server_;
  const ServerLimits& limits_;
  tcp::socket socket_;
  asio::steady_timer event_, deadline_;
  std::string buffer_;     // read and not consumed yet
  size_t head_bytes_ = 0;  // of buffer_, once the head is complete
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<BodyBudget> budget_;  // while the request's body is held
  std::optional<HttpResponse> refusal_;
  int status_ = 0;                      // of the current request's answer, once it was sent
  Clock::time_point request_begin_;     // when its first bytes came
  std::optional<AnswerReport> report_;  // of the model's work for it
  std::string own_address_;
  ErrorStyle error_style_ = ErrorStyle::kOpenAi;  // of the current request's path
  bool keep_alive_ = false, http_1_0_ = false, first_request_ = true;
  bool woken_ = false, client_gone_ = false, data_waiting_ = false, timed_out_ = false;
  unsigned deadline_round_ = 0, watch_round_ = 0;
};

Connection::Connection(ServerCore* server, tcp::socket socket)
    : server_(server),
      limits_(server->options.limits),
      socket_(std::move(socket)),
      event_(socket_.get_executor()),
      deadline_(socket_.get_executor()) {
  ++server_->connections;
}

Connection::~Connection() {
  const std::lock_guard lock(server_->live_mutex);
  server_->live.erase(this);
  --server_->connections;
}

void Connection::start() {
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  // A peer that vanished without a word is noticed at the next write within 20 s.
  const int user_timeout_ms = 20000;
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  const auto local = socket_.local_endpoint(ignored).address();
  const bool mapped = local.is_v6() && local.to_v6().is_v4_mapped();
  own_address_ = mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, local.to_v6()).to_string() : local.to_string();
  {
    const std::lock_guard lock(server_->live_mutex);
    server_->live[this] = [weak = weak_from_this(), executor = socket_.get_executor()](bool force) {
      asio::post(executor, [weak, force] {
        const auto self = weak.lock();
        if (!self) return;
        self->wake();
        error_code failed;
        const bool only_reads = !self->parser_ || !self->parser_->is_done();  // nothing to finish
        if (only_reads) self->socket_.cancel(failed);
        if (force) self->socket_.close(failed);
      });
    };
  }
  asio::co_spawn(
      socket_.get_executor(), [self = shared_from_this()] { return self->run(); }, asio::detached);
}

asio::awaitable<void> Connection::run() {
  bool more = true;
  while (more && !server_->stopping) {
    try {
      more = co_await serve_one();
    } catch (const std::exception& error) {
      log_error("connection failed: {}", error.what());
      more = false;
    }
  }
  disarm();
  stop_watching();
  error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<bool> Connection::serve_one() {
  refusal_.reset();
  parser_.reset();
  report_.reset();
  status_ = 0;
  error_style_ = ErrorStyle::kOpenAi;
  keep_alive_ = http_1_0_ = false;
  const auto request = std::make_shared<HttpRequest>();
  request->id = random_id("req_");
  const Route* route = nullptr;
  const bool more = co_await serve_request(request, route);
  record(*request, route);
  if (refusal_) co_await linger();
  co_return more;
}

asio::awaitable<bool> Connection::serve_request(const std::shared_ptr<HttpRequest>& request, const Route*& route) {
  budget_.emplace(server_->bodies_bytes, limits_.max_bodies_bytes);
  Read read = co_await read_head();
  if (read == Read::kClosed) co_return false;
  if (read == Read::kDone && parse_head(*request)) route = admit(*request);
  if (!refusal_) {
    read = co_await read_body(*request);
    if (read == Read::kClosed) co_return false;
  }
  if (refusal_) {
    keep_alive_ = false;
    co_await respond(*request, *refusal_);
    co_return false;
  }
  first_request_ = false;
  if (!route) {  // OPTIONS, admitted
    HttpResponse options;
    options.status = 204;
    options.headers.emplace_back("Allow", server_->router.allowed_methods(request->path) + ", OPTIONS");
    co_return co_await respond(*request, options);
  }
  co_return co_await answer(request, *route);
}

// Reads up to the empty line behind the fields.
asio::awaitable<Connection::Read> Connection::read_head() {
  auto until = Clock::now() + (first_request_ ? limits_.header_timeout : limits_.keep_alive_timeout);
  bool begun = false;
  size_t searched = 0;
  while (true) {
    // Empty lines before a request are allowed (RFC 9112, 2.2).
    while (buffer_.starts_with("\r\n")) buffer_.erase(0, 2);
    if (!buffer_.empty() && !begun) {
      begun = true;
      request_begin_ = Clock::now();
      until = Clock::now() + limits_.header_timeout;
    }
    const size_t end = buffer_.find("\r\n\r\n", searched);
    if (end != buffer_.npos && end + 4 <= limits_.head.max_bytes) {
      head_bytes_ = end + 4;
      co_return Read::kDone;
    }
    if (buffer_.size() > limits_.head.max_bytes || end != buffer_.npos) {
      try {
        throw_head_too_long(buffer_);
      } catch (const Error& error) {
        refuse(error);
      }
      co_return Read::kRefused;
    }
    // A first line without HTTP/ in it is no request that more bytes could complete.
    if (const size_t line = buffer_.find('\n');
        line != buffer_.npos && buffer_.substr(0, line).find(" HTTP/") == buffer_.npos) {
      refuse_bad_request("expected an HTTP/1.1 request");
      co_return Read::kRefused;
    }
    searched = buffer_.size() < 3 ? 0 : buffer_.size() - 3;
    // Little room at first: there may be thousands of connections that say nothing.
    if (buffer_.empty()) std::string().swap(buffer_);
    const size_t room = buffer_.empty() ? kFirstReadBytes : limits_.head.max_bytes + 1;
    const size_t got = co_await read_more(room, until);
    if (got > 0) continue;
    if (!timed_out_ || !begun || server_->stopping) co_return Read::kClosed;
    refuse({ErrorKind::kTimeout, "request_timeout", "the request's head took too long"});
    co_return Read::kRefused;
  }
}

bool Connection::parse_head(HttpRequest& request) {
  try {
    check_raw_head(std::string_view(buffer_).substr(0, head_bytes_), limits_.head);
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<uint32_t>(limits_.head.max_bytes) + 1);
    parser_->body_limit(limits_.max_body_bytes);
    error_code error;
    parser_->put(asio::buffer(buffer_.data(), head_bytes_), error);
    buffer_.erase(0, head_bytes_);
    const auto& message = parser_->get();
    error_style_ = server_->router.error_style(message.target().substr(0, message.target().find('?')));
    if (error == http::error::body_limit) {
      throw Error(ErrorKind::kTooLarge, "body_too_large",
                  fmt::format("expected a body of at most {} bytes", limits_.max_body_bytes));
    }
    if (error && error != http::error::need_more) {
      throw Error(ErrorKind::kInvalidRequest, "bad_request", "the request's head is not valid HTTP/1.1");
    }
    request.method = std::string(message.method_string());
    http_1_0_ = message.version() == 10;
    for (const auto& field : message)
      request.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    static constexpr const char* kMethods = "GET, HEAD, POST, OPTIONS";
    if (request.method != "GET" && request.method != "HEAD" && request.method != "POST" &&
        request.method != "OPTIONS") {
      refuse({ErrorKind::kMethodNotAllowed, "method_not_allowed", fmt::format("expected one of {}", kMethods)});
      refusal_->headers.emplace_back("Allow", kMethods);
      return false;
    }
    parse_target(std::string_view(message.target().data(), message.target().size()), request.path, request.query);
    check_fields(request);
    keep_alive_ = parser_->keep_alive();
    return true;
  } catch (const Error& error) {
    refuse(error);
    return false;
  }
}

// nullptr without a refusal: OPTIONS of a known path.
const Route* Connection::admit(const HttpRequest& request) {
  try {
    server_->access.check_host(request, own_address_);
    server_->access.check_origin(request);
    if (server_->router.needs_key(request.path)) server_->access.check_key(request);
    if (request.method == "OPTIONS") {
      if (server_->router.allowed_methods(request.path).empty())
        server_->router.find("GET", request.path);  // throws 404
      return nullptr;
    }
    const Route& route = server_->router.find(request.method, request.path);
    if (request.method == "POST") check_body_fields(request, route.body);
    return &route;
  } catch (const Error& error) {
    refuse(error);
    if (error.kind == ErrorKind::kMethodNotAllowed) {
      refusal_->headers.emplace_back("Allow", server_->router.allowed_methods(request.path));
    }
    return nullptr;
  }
}

// Feeds buffer_ to the parser; true where it took something.
bool Connection::advance_parser(error_code& error) {
  if (buffer_.empty()) return false;
  const size_t taken = parser_->put(asio::buffer(buffer_), error);
  buffer_.erase(0, taken);
  if (error == http::error::need_more) error = {};
  return taken > 0;
}

asio::awaitable<Connection::Read> Connection::read_body(HttpRequest& request) {
  const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
  if (!has_body) co_return Read::kDone;
  if (request.header("Expect") == "100-continue") {
    const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await write(go_on);
  }
  const auto begin = Clock::now();
  size_t received = 0;
  while (!parser_->is_done()) {
    error_code error;
    const bool progress = advance_parser(error);
    if (error == http::error::body_limit) {
      refuse({ErrorKind::kTooLarge, "body_too_large",
              fmt::format("expected a body of at most {} bytes", limits_.max_body_bytes)});
      co_return Read::kRefused;
    }
    if (error || (!progress && buffer_.size() > kMaxChunkHeadBytes)) {
      refuse_bad_request("the request's body is not valid HTTP/1.1");
      co_return Read::kRefused;
    }
    if (progress || parser_->is_done()) continue;
    const auto earned = milliseconds(received * 1000 / limits_.body_min_rate_bytes);
    const size_t got = co_await read_more(kReadBytes, begin + limits_.body_grace + earned);
    received += got;
    if (got == 0) {
      if (!timed_out_ || server_->stopping) co_return Read::kClosed;
      refuse({ErrorKind::kTimeout, "request_timeout", "the request's body came too slowly"});
      co_return Read::kRefused;
    }
    if (!budget_->take(got)) {
      refuse({ErrorKind::kOverloaded, "overloaded", "too many large requests at once; try again"});
      co_return Read::kRefused;
    }
  }
  // What follows a body is no second request: nobody pipelines behind a POST, but smugglers do.
  if (!buffer_.empty()) {
    refuse_bad_request("found bytes behind the body");
    co_return Read::kRefused;
  }
  request.body = std::move(parser_->get().body());
  co_return Read::kDone;
}

asio::awaitable<bool> Connection::answer(const std::shared_ptr<HttpRequest>& request, const Route& route) {
  if (!route.quick) co_return co_await run_on_worker(request, route);
  HttpResponse response;
  try {
    response = std::get<HttpResponse>(route.handler(*request));
  } catch (...) {
    response = current_exception_response(error_style_);
  }
  co_return co_await respond(*request, response);
}

asio::awaitable<bool> Connection::run_on_worker(const std::shared_ptr<HttpRequest>& request, const Route& route) {
  struct Work {
    std::atomic<bool> done{false};
    HandlerResult result;
  };
  if (server_->pending_requests >= limits_.max_pending_requests) {
    const HttpResponse busy =
        error_response({ErrorKind::kOverloaded, "overloaded", "too many requests wait; try again"}, error_style_);
    co_return co_await respond(*request, busy);
  }
  const auto work = std::make_shared<Work>();
  const auto abandoned = std::make_shared<std::atomic<bool>>(false);
  request->abandoned = abandoned;
  client_gone_ = data_waiting_ = woken_ = false;
  watch_client();
  ++server_->pending_requests;
  asio::post(server_->workers, [work, request, &route, server = server_, waker = make_waker()] {
    try {
      if (request->abandoned->load()) throw Error(ErrorKind::kInternal, "abandoned", "the client has left");
      work->result = route.handler(*request);
    } catch (...) {
      work->result = current_exception_response(route.errors);
    }
    --server->pending_requests;
    work->done = true;
    waker();
  });
  while (!work->done && !client_gone_ && !server_->ending) co_await wait_event(Clock::now() + std::chrono::hours(1));
  if (!work->done) *abandoned = true;
  if (client_gone_) co_return false;
  if (!work->done) {
    const HttpResponse stopped = error_response(shutdown_error(), error_style_);
    co_return co_await respond(*request, stopped);
  }
  budget_.reset();  // the body is read
  bool more = false;
  if (const auto* response = std::get_if<HttpResponse>(&work->result)) {
    more = co_await respond(*request, *response);
  } else {
    const auto exchange = std::move(std::get<std::unique_ptr<Exchange>>(work->result));
    more = co_await run_exchange(*exchange, *request);
    report_ = exchange->report();
  }
  stop_watching();
  co_return more;
}

asio::awaitable<bool> Connection::run_exchange(Exchange& exchange, const HttpRequest& request) {
  using Kind = Exchange::Poll::Kind;
  exchange.set_waker(make_waker());
  bool head_sent = false, told_to_stop = false;
  while (true) {
    std::string out;
    bool ended = false;
    while (!ended && out.size() < kChunkBytes) {
      Exchange::Poll poll = safe_poll(exchange, error_style_);
      if (poll.kind == Kind::kPending) break;
      if (poll.kind == Kind::kResponse) {
        if (head_sent) co_return false;  // a stream that broke without an event of its own
        co_return co_await respond(request, poll.response);
      }
      if (!head_sent) {
        out = fmt::format(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
            "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nX-Request-Id: {}\r\n{}\r\n",
            request.id, http_1_0_ ? "Connection: close\r\n" : "Transfer-Encoding: chunked\r\n");
        head_sent = true;
        status_ = 200;
      }
      if (!poll.bytes.empty()) out += http_1_0_ ? poll.bytes : chunked(poll.bytes);
      ended = poll.kind == Kind::kEnd;
    }
    if (ended && !http_1_0_) out += "0\r\n\r\n";
    if (!out.empty()) {
      const bool written = co_await write(out);
      if (!written) co_return false;
    }
    if (ended) co_return keep_alive_ && !http_1_0_ && !server_->stopping;
    if (client_gone_) co_return false;
    if (server_->ending && !told_to_stop) {
      told_to_stop = true;
      exchange.stop(shutdown_error());
      continue;
    }
    const auto ping_at = Clock::now() + limits_.ping_interval;
    co_await wait_event(ping_at);
    if (client_gone_) co_return false;
    if (head_sent && Clock::now() >= ping_at) {
      const std::string ping = http_1_0_ ? ": ping\n\n" : chunked(": ping\n\n");
      const bool written = co_await write(ping);
      if (!written) co_return false;
    }
  }
}

// True where the connection can take another request.
asio::awaitable<bool> Connection::respond(const HttpRequest& request, const HttpResponse& response) {
  const bool keep = keep_alive_ && !server_->stopping;
  status_ = response.status;
  const bool no_body = response.status == 204 || response.status == 304;
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
  if (!no_body)
    out += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", response.content_type, response.body.size());
  for (const auto& [name, value] : response.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += fmt::format("X-Content-Type-Options: nosniff\r\nX-Request-Id: {}\r\nConnection: {}\r\n\r\n", request.id,
                     keep ? "keep-alive" : "close");
  if (!no_body && request.method != "HEAD") out += response.body;
  const bool written = co_await write(out);
  co_return written&& keep;
}

// Bytes appended to buffer_; 0 at the end of the stream, after an error and at `until` (timed_out_).
asio::awaitable<size_t> Connection::read_more(size_t max_bytes, Clock::time_point until) {
  const size_t old_size = buffer_.size();
  buffer_.resize(old_size + max_bytes);
  arm(until);
  error_code error;
  const size_t got = co_await socket_.async_read_some(asio::buffer(buffer_.data() + old_size, max_bytes),
                                                      asio::redirect_error(use_awaitable, error));
  disarm();
  buffer_.resize(old_size + got);
  co_return got;
}

asio::awaitable<bool> Connection::write(const std::string& bytes) {
  const auto earned = milliseconds(bytes.size() * 1000 / limits_.body_min_rate_bytes);
  arm(Clock::now() + limits_.write_timeout + earned);
  error_code error;
  co_await asio::async_write(socket_, asio::buffer(bytes), asio::redirect_error(use_awaitable, error));
  disarm();
  if (error) client_gone_ = true;
  co_return !error;
}

// Closing a socket with unread bytes resets it, and the client may lose the answer: read them away for a while.
asio::awaitable<void> Connection::linger() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  const auto until = Clock::now() + kLinger;
  while (Clock::now() < until) {
    buffer_.clear();
    const size_t got = co_await read_more(kReadBytes, until);
    if (got == 0) break;
  }
}

// Sleeps until wake(), until a hang-up or until the time.
asio::awaitable<void> Connection::wait_event(Clock::time_point until) {
  while (!woken_ && !client_gone_) {
    const auto now = Clock::now();
    if (now >= until) break;
    event_.expires_at(data_waiting_ ? std::min(until, now + kHangUpPoll) : until);
    error_code ignored;
    co_await event_.async_wait(asio::redirect_error(use_awaitable, ignored));
    if (data_waiting_ && hung_up()) client_gone_ = true;
  }
  woken_ = false;
}

void Connection::wake() {
  woken_ = true;
  event_.cancel();
}

std::function<void()> Connection::make_waker() {
  return [weak = weak_from_this(), io = server_->io, executor = socket_.get_executor()] {
    asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->wake();
    });
  };
}

// Tells a client that left from one that waits, while nothing is read from it.
void Connection::watch_client() {
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this(), round = ++watch_round_](error_code error) {
    if (error || round != self->watch_round_) return;
    char byte = 0;
    const ssize_t got = ::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) {
      self->data_waiting_ = true;  // a hang-up behind it is found by asking now and then
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
      self->client_gone_ = true;
    }
    self->wake();
  });
}

void Connection::stop_watching() {
  ++watch_round_;
  error_code ignored;
  socket_.cancel(ignored);
}

bool Connection::hung_up() {
  pollfd entry{socket_.native_handle(), POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// Counts and logs a request that is over. The log has patterns of routes, never paths: those may be names of files.
void Connection::record(const HttpRequest& request, const Route* route) {
  if (status_ == 0 && !route) return;  // nothing was asked
  RouteAnswers& answers = route && route->answers ? *route->answers : server_->metrics->unknown();
  if (status_ != 0) answers.add(status_);
  constexpr int kClientLeft = 499;
  const AnswerReport report = report_.value_or(AnswerReport{});
  const bool news = !route || !route->quick || status_ >= 400;
  const double total_ms = std::chrono::duration<double, std::milli>(Clock::now() - request_begin_).count();
  log_event(news ? spdlog::level::info : spdlog::level::debug, "request",
            {{"id", request.id},
             {"method", answers.method},
             {"route", answers.path},
             {"model", report.model},
             {"status", int64_t{status_ != 0 ? status_ : kClientLeft}},
             {"finish", report.finish},
             {"prompt_tokens", report.prompt_tokens},
             {"completion_tokens", report.completion_tokens},
             {"vision_tokens", report.vision_tokens},
             {"cached_tokens", report.cached_tokens},
             {"queue_ms", report.queue_ms},
             {"vision_ms", report.vision_ms},
             {"prefill_ms", report.prefill_ms},
             {"decode_ms", report.decode_ms},
             {"ttft_ms", report.ttft_ms},
             {"total_ms", total_ms}});
}

void Connection::arm(Clock::time_point until) {
  timed_out_ = false;
  deadline_.expires_at(until);
  deadline_.async_wait([self = shared_from_this(), round = ++deadline_round_](error_code error) {
    if (error || round != self->deadline_round_) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.cancel(ignored);
  });
}

void Connection::disarm() {
  ++deadline_round_;
  deadline_.cancel();
}

}  // namespace

std::vector<Route> served_routes(const ModelRegistry& models, const ServerOptions& options, std::shared_ptr<HttpMetrics> metrics) {
  const std::string& version = options.version;
  std::vector<Route> routes = openai_routes(models, version);
  for (auto more : {anthropic_routes(models), responses_routes(models), gradio_routes(models),
                    completion_routes(models, version), tokenize_routes(models), server_info_routes(models, version)}) {
    std::move(more.begin(), more.end(), std::back_inserter(routes));
  }
  for (Route& route : static_routes(embedded_files())) routes.push_back(std::move(route));
  routes.push_back(
      {"GET", "/health", true, [](HttpRequest&) -> HandlerResult { return json_response("{\"status\":\"ok\"}"); },
       true});
  routes.push_back({"GET", "/version", true, [version](HttpRequest&) -> HandlerResult {
                      return json_response(dump_json({{"version", version}}));
                    }});
  if (options.upstreams) add_upstreams(routes, models, *options.upstreams);
  routes.push_back(metrics_route(models, metrics, options.metric_names));
  metrics->watch(routes);
  return routes;
}

void ServerCore::bind() {
  error_code error;
  const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  if (error) {
    throw Error(ErrorKind::kBadFlag, "bad_flag",
                fmt::format("expected an IP address to listen on, found \"{}\"", printable(options.host)));
  }
  const tcp::endpoint endpoint(address, static_cast<uint16_t>(options.port));
  const auto check = [&] {
    if (!error) return;
    const bool used = error == asio::error::address_in_use;
    const bool denied = error == asio::error::access_denied;
    throw Error(ErrorKind::kListen,
                used     ? "port_in_use"
                : denied ? "port_denied"
                         : "listen_failed",
                fmt::format("cannot listen on {} port {}: {}", options.host, options.port,
                            used     ? "another program uses this port; choose one with --port"
                            : denied ? "the system does not allow this port; choose one above 1023 with --port"
                                     : error.message()));
  };
  acceptor.open(endpoint.protocol(), error);
  check();
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  check();
  acceptor.bind(endpoint, error);
  check();
  // Listening at once makes the port taken for others; clients wait in the backlog until run().
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  check();
  listening = true;
}

asio::awaitable<void> ServerCore::accept_loop() {
  while (!stopping) {
    error_code error;
    tcp::socket socket = co_await acceptor.async_accept(asio::any_io_executor(asio::make_strand(*io)),
                                                        asio::redirect_error(use_awaitable, error));
    if (error == asio::error::operation_aborted || stopping) break;
    if (error) {  // out of descriptors, most likely: the next try may find some
      asio::steady_timer pause(control, milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(use_awaitable, error));
      continue;
    }
    if (connections >= options.limits.max_connections) {
      const std::string body = error_json({ErrorKind::kOverloaded, "too_many_connections", "too many connections"});
      const std::string reply = fmt::format(
          "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: "
          "1\r\n"
          "Connection: close\r\n\r\n{}",
          body.size(), body);
      socket.non_blocking(true, error);
      socket.write_some(asio::buffer(reply), error);
      continue;
    }
    std::make_shared<Connection>(this, std::move(socket))->start();
  }
}

void ServerCore::begin_stop() {
  if (stopping.exchange(true)) return;
  error_code ignored;
  acceptor.close(ignored);
  tell_connections(false);
  const auto end_streams = Clock::now() + options.limits.drain_timeout;
  await_connections(end_streams, end_streams + options.limits.stop_grace);
}

void ServerCore::tell_connections(bool force) {
  const std::lock_guard lock(live_mutex);
  for (const auto& [connection, tell] : live) tell(force);
}

// Lets the event loop go on until the connections have ended: running answers may finish at first, then end with an error,
// and what outlasts that is cut off.
void ServerCore::await_connections(Clock::time_point end_streams, Clock::time_point cut_off) {
  if (connections == 0) {
    io->stop();
    return;
  }
  const auto now = Clock::now();
  if (now >= end_streams && !ending.exchange(true)) tell_connections(false);
  if (now >= cut_off) tell_connections(true);
  grace_timer.expires_after(milliseconds(10));
  grace_timer.async_wait([this, end_streams, cut_off](error_code) { await_connections(end_streams, cut_off); });
}

void ServerCore::run() {
  if (!listening) bind();
  if (options.handle_signals) {
    // A terminal that closes sends SIGHUP, unless nohup had it ignored; SIGQUIT would leave a core with the users'
    // texts.
    for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
      struct sigaction now {};
      if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN && signal == SIGHUP) continue;
      signals.add(signal);
    }
    signals.async_wait([this](error_code error, int) {
      if (error) return;
      log_info("stopping: running answers may take {} s more", static_cast<double>(options.limits.drain_timeout.count()) / 1000);
      end_for_sure(options.limits);
      signals.async_wait([](error_code again, int) {
        if (!again) std::_Exit(0);
      });
      begin_stop();
    });
  }
  asio::co_spawn(control, accept_loop(), asio::detached);
  std::vector<std::thread> threads;
  for (int i = 1; i < options.io_threads; ++i) threads.emplace_back([this] { io->run(); });
  io->run();
  for (std::thread& thread : threads) thread.join();
  workers.join();
}

HttpServer::HttpServer(ServerOptions options, const ModelRegistry& models)
    : core_(std::make_unique<ServerCore>(std::move(options), models)) {}

HttpServer::~HttpServer() = default;

void HttpServer::bind() { core_->bind(); }

int HttpServer::port() const {
  error_code ignored;
  return core_->acceptor.local_endpoint(ignored).port();
}

void HttpServer::run() { core_->run(); }

void HttpServer::stop() {
  asio::post(core_->control, [core = core_.get()] { core->begin_stop(); });
}

}  // namespace qvl
