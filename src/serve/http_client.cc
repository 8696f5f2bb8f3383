#include "serve/http_client.h"

#include <netdb.h>

#ifdef __SANITIZE_THREAD__  // the sanitizer does not understand fences; Asio's queues are behind mutexes anyway
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "base/log.h"

namespace qvl {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr size_t kBufferBytes = 256 * 1024;  // that wait for the reader of one call
constexpr size_t kReadBytes = 16 * 1024;
constexpr uint32_t kMaxHeadBytes = 64 * 1024;

}  // namespace

// Between the call's coroutine and whoever reads it.
struct HttpCall::Shared {
  std::mutex mutex;  // guards everything but the last three
  std::condition_variable news;
  std::function<void()> waker;
  std::optional<Poll> head, last;  // last: kEnd or kFailed
  std::string bytes;
  bool abandoned = false;
  bool over = false;  // the coroutine has ended: nothing may be posted any more

  std::shared_ptr<asio::io_context> io;  // outlives the client where a handle does
  asio::steady_timer room;               // the two below belong to the client's thread
  std::function<void()> close;           // ends what the coroutine waits for

  void cut() {  // on the client's thread
    room.cancel();
    if (close) close();
  }

  explicit Shared(std::shared_ptr<asio::io_context> context) : io(std::move(context)), room(*io) {}

  template <typename Change>
  void tell(const Change& change) {
    const std::lock_guard lock(mutex);
    change();
    news.notify_all();
    if (waker) waker();
  }
  void fail(Stage stage, const error_code& error) {
    tell([&] {
      if (last) return;
      last.emplace();
      last->kind = Poll::Kind::kFailed;
      last->stage = stage;
      last->timed_out = error == beast::error::timeout || error == asio::error::timed_out;
      last->reason = error.message();
    });
  }
  Poll take() {  // with the mutex held
    if (head) {
      Poll poll = std::move(*head);
      head.reset();
      return poll;
    }
    if (!bytes.empty()) {
      Poll poll;
      poll.kind = Poll::Kind::kBytes;
      poll.bytes = std::exchange(bytes, {});
      return poll;
    }
    return last.value_or(Poll{});
  }
};

std::string_view HttpCall::Poll::header(std::string_view name) const { return find_header(headers, name); }

HttpCall::~HttpCall() {
  const std::lock_guard lock(shared_->mutex);
  shared_->abandoned = true;
  shared_->waker = nullptr;
  if (!shared_->over) asio::post(*shared_->io, [shared = shared_] { shared->cut(); });
}

HttpCall::Poll HttpCall::poll() {
  const std::lock_guard lock(shared_->mutex);
  Poll poll = shared_->take();
  if (poll.kind == Poll::Kind::kBytes && !shared_->over) {
    asio::post(*shared_->io, [shared = shared_] { shared->room.cancel(); });
  }
  return poll;
}

void HttpCall::set_waker(std::function<void()> waker) {
  const std::lock_guard lock(shared_->mutex);
  shared_->waker = std::move(waker);
  if (shared_->waker && (shared_->head || shared_->last || !shared_->bytes.empty())) shared_->waker();
}

HttpCall::Poll HttpCall::wait(std::chrono::steady_clock::time_point until) {
  {
    std::unique_lock lock(shared_->mutex);
    shared_->news.wait_until(lock, until, [&] { return shared_->head || shared_->last || !shared_->bytes.empty(); });
  }
  return poll();
}

namespace {

using Stage = HttpCall::Stage;
using Shared = HttpCall::Shared;

std::string head_of(const ClientRequest& request) {
  std::string out = fmt::format(
      "{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: qwen3vl\r\nConnection: close\r\nAccept-Encoding: identity\r\n",
      request.method, request.url.target, request.url.authority());
  for (const auto& [name, value] : request.headers) out += fmt::format("{}: {}\r\n", name, value);
  if (request.body) out += fmt::format("Content-Length: {}\r\n", request.body->size());
  return out + "\r\n";
}

// Waits while the reader has more to read than it should.
asio::awaitable<bool> await_room(const std::shared_ptr<Shared>& shared) {
  while (true) {
    {
      const std::lock_guard lock(shared->mutex);
      if (shared->abandoned) co_return false;
      if (shared->bytes.size() < kBufferBytes) co_return true;
    }
    // A reader who took bytes meanwhile cancels the timer; one that did so before it was set is found by its short time.
    shared->room.expires_after(std::chrono::milliseconds(200));
    error_code ignored;
    co_await shared->room.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

template <typename Stream>
asio::awaitable<void> exchange(Stream& stream, const std::shared_ptr<Shared>& shared, const ClientRequest& request) {
  auto& socket = beast::get_lowest_layer(stream);
  error_code error;
  socket.expires_after(request.head_timeout);
  const std::string head = head_of(request);
  const std::array<asio::const_buffer, 2> out{asio::buffer(head), request.body ? asio::buffer(*request.body) : asio::const_buffer()};
  co_await asio::async_write(stream, out, asio::redirect_error(use_awaitable, error));
  // A server may answer before it has read everything, and close: its answer counts.
  if (error == beast::error::timeout || error == asio::error::operation_aborted) co_return shared->fail(Stage::kHead, error);
  beast::flat_buffer buffer(kMaxHeadBytes + kReadBytes);
  http::response_parser<http::buffer_body> parser;
  parser.header_limit(kMaxHeadBytes);
  parser.body_limit(boost::none);
  co_await http::async_read_header(stream, buffer, parser, asio::redirect_error(use_awaitable, error));
  if (error) co_return shared->fail(Stage::kHead, error);
  HttpCall::Poll answer;
  answer.kind = HttpCall::Poll::Kind::kHead;
  answer.status = static_cast<int>(parser.get().result_int());
  for (const auto& field : parser.get()) answer.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  if (answer.status < 200) co_return shared->fail(Stage::kHead, http::make_error_code(http::error::bad_status));
  shared->tell([&] { shared->head = std::move(answer); });
  std::vector<char> piece(kReadBytes);
  while (!parser.is_done()) {
    const bool wanted = co_await await_room(shared);
    if (!wanted) co_return;
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    socket.expires_after(request.idle_timeout);
    co_await http::async_read_some(stream, buffer, parser, asio::redirect_error(use_awaitable, error));
    if (error == http::error::need_buffer) error = {};
    const size_t got = piece.size() - parser.get().body().size;
    if (got > 0) shared->tell([&] { shared->bytes.append(piece.data(), got); });
    if (error) co_return shared->fail(Stage::kBody, error);
  }
  shared->tell([&] {
    shared->last.emplace();
    shared->last->kind = HttpCall::Poll::Kind::kEnd;
  });
}

// getaddrinfo() knows no deadline: it runs on a thread of its own, which may outlast whoever asked.
constexpr int kMaxLookups = 64;
std::atomic<int> lookups{0};

struct Lookup {
  explicit Lookup(asio::io_context& io) : done(io) {}
  asio::steady_timer done;  // cancelled when the answer is there
  std::vector<std::string> addresses;
};

asio::awaitable<std::vector<std::string>> look_up(const std::shared_ptr<Shared>& shared, const ClientRequest& request) {
  const auto lookup = std::make_shared<Lookup>(*shared->io);
  lookup->done.expires_after(request.connect_timeout);
  shared->close = [lookup] { lookup->done.cancel(); };
  if (++lookups > kMaxLookups) {
    --lookups;
    co_return std::vector<std::string>{};
  }
  std::thread([weak = std::weak_ptr(lookup), io = std::weak_ptr(shared->io), host = request.url.host] {
    std::vector<std::string> addresses = resolve_host(host);
    --lookups;
    const auto context = io.lock();
    if (!context) return;
    asio::post(*context, [weak, addresses = std::move(addresses)] {
      const auto asked = weak.lock();
      if (!asked) return;
      asked->addresses = addresses;
      asked->done.cancel();
    });
  }).detach();
  error_code ignored;
  co_await lookup->done.async_wait(asio::redirect_error(use_awaitable, ignored));
  shared->close = nullptr;
  co_return std::move(lookup->addresses);
}

asio::awaitable<error_code> connect(beast::tcp_stream& stream, const std::shared_ptr<Shared>& shared,
                                    const ClientRequest& request) {
  std::vector<std::string> addresses = request.addresses;
  if (addresses.empty() && request.url.address) addresses.push_back(request.url.host);
  if (addresses.empty()) addresses = co_await look_up(shared, request);
  error_code error = asio::error::host_not_found;
  shared->close = [&stream] { stream.close(); };
  // Each address gets its time: a name with a dead IPv6 address would else never reach its IPv4 one.
  for (const std::string& address : addresses) {
    const tcp::endpoint endpoint(asio::ip::make_address(address, error), static_cast<uint16_t>(request.url.port));
    if (error) continue;
    stream.close();
    stream.expires_after(request.connect_timeout);
    co_await stream.async_connect(endpoint, asio::redirect_error(use_awaitable, error));
    if (!error || error == asio::error::operation_aborted) break;
  }
  shared->close = nullptr;
  if (!error) stream.socket().set_option(tcp::no_delay(true), error);
  co_return error;
}

bool abandoned(Shared& shared) {
  const std::lock_guard lock(shared.mutex);
  return shared.abandoned;
}

asio::awaitable<void> run_tls(beast::tcp_stream socket, std::shared_ptr<Shared> shared, const ClientRequest& request,
                              asio::ssl::context& tls) {
  beast::ssl_stream<beast::tcp_stream> stream(std::move(socket), tls);
  shared->close = [&stream] { beast::get_lowest_layer(stream).close(); };
  error_code error;
  if (!request.url.address) SSL_set_tlsext_host_name(stream.native_handle(), request.url.host.c_str());
  stream.set_verify_mode(asio::ssl::verify_peer);
  stream.set_verify_callback(asio::ssl::host_name_verification(request.url.host));
  beast::get_lowest_layer(stream).expires_after(request.connect_timeout);
  co_await stream.async_handshake(asio::ssl::stream_base::client, asio::redirect_error(use_awaitable, error));
  if (error) {
    shared->fail(Stage::kConnect, error);
  } else {
    co_await exchange(stream, shared, request);
  }
  shared->close = nullptr;
}

asio::awaitable<void> run_call(std::shared_ptr<Shared> shared, ClientRequest request, asio::ssl::context& tls) {
  beast::tcp_stream stream(*shared->io);
  const error_code error = co_await connect(stream, shared, request);
  if (abandoned(*shared)) co_return;
  if (error) co_return shared->fail(Stage::kConnect, error);
  if (request.url.tls) co_return co_await run_tls(std::move(stream), shared, request, tls);
  shared->close = [&stream] { stream.close(); };
  co_await exchange(stream, shared, request);
  shared->close = nullptr;
}

asio::awaitable<void> guarded_call(std::shared_ptr<Shared> shared, ClientRequest request, asio::ssl::context& tls) {
  try {
    co_await run_call(shared, std::move(request), tls);
  } catch (const std::exception& error) {
    log_error("a request to another server failed: {}", error.what());
    shared->fail(Stage::kBody, asio::error::connection_aborted);
  }
  shared->close = nullptr;
  const std::lock_guard lock(shared->mutex);
  shared->over = true;
}

}  // namespace

struct HttpClient::Core {
  Core() : tls(asio::ssl::context::tls_client), work(asio::make_work_guard(*io)) {
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 | asio::ssl::context::no_sslv3 |
                    asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    error_code ignored;  // without certificates every handshake fails, and says so
    tls.set_default_verify_paths(ignored);
    thread = std::thread([this] { io->run(); });
  }
  // Lets the thread go on until every coroutine has ended: their frames refer to what is destroyed here.
  ~Core() {
    stopping = true;
    asio::post(*io, [this] {
      for (const auto& [key, weak] : calls) {
        if (const auto shared = weak.lock()) end(*shared);
      }
      for (const auto& [key, timer] : timers) timer->cancel();
    });
    work.reset();
    thread.join();
  }
  static void end(Shared& shared) {
    {
      const std::lock_guard lock(shared.mutex);
      shared.abandoned = true;
    }
    shared.fail(Stage::kBody, asio::error::operation_aborted);
    shared.cut();
  }
  void forget_ended() {
    std::erase_if(calls, [](const auto& entry) { return entry.second.expired(); });
  }

  std::shared_ptr<asio::io_context> io = std::make_shared<asio::io_context>(1);
  asio::ssl::context tls;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::atomic<bool> stopping{false};
  // Of the client's thread:
  std::map<const Shared*, std::weak_ptr<Shared>> calls;
  std::map<const asio::steady_timer*, std::shared_ptr<asio::steady_timer>> timers;
  std::thread thread;
};

HttpClient::HttpClient() : core_(std::make_unique<Core>()) {}
HttpClient::~HttpClient() = default;

std::unique_ptr<HttpCall> HttpClient::start(ClientRequest request) {
  const auto shared = std::make_shared<Shared>(core_->io);
  asio::post(*core_->io, [core = core_.get(), shared, request = std::move(request)]() mutable {
    if (core->stopping) return Core::end(*shared);
    core->forget_ended();
    core->calls[shared.get()] = shared;
    asio::co_spawn(*core->io, guarded_call(shared, std::move(request), core->tls), asio::detached);
  });
  return std::make_unique<HttpCall>(shared);
}

namespace {

// One fetch(); runs on the client's thread, held by the call's waker until it is done.
struct Fetch : std::enable_shared_from_this<Fetch> {
  std::unique_ptr<HttpCall> call;
  size_t max_bytes = 0;
  std::function<void(FetchResult)> then;
  FetchResult result;

  void step() {
    using Kind = HttpCall::Poll::Kind;
    while (call) {
      HttpCall::Poll poll = call->poll();
      if (poll.kind == Kind::kPending) return;
      if (poll.kind == Kind::kHead) result.status = poll.status;
      if (poll.kind == Kind::kBytes) result.body += poll.bytes;
      if (poll.kind == Kind::kEnd) return finish();
      if (poll.kind == Kind::kFailed) return fail(poll.reason, poll.timed_out);
      if (result.body.size() > max_bytes) return fail("the answer is too long", false);
    }
  }
  void fail(const std::string& reason, bool timed_out) {
    result = {0, {}, reason, timed_out};
    finish();
  }
  void finish() {
    const auto keep = shared_from_this();  // the waker holds this
    call.reset();
    then(std::move(result));
  }
};

}  // namespace

void HttpClient::fetch(ClientRequest request, size_t max_bytes, std::function<void(FetchResult)> then) {
  const auto fetch = std::make_shared<Fetch>();
  fetch->max_bytes = max_bytes;
  fetch->then = std::move(then);
  fetch->call = start(std::move(request));
  fetch->call->set_waker([core = core_.get(), fetch] {
    asio::post(*core->io, [core, fetch] {
      if (!core->stopping) return fetch->step();
      fetch->call.reset();
    });
  });
}

void HttpClient::after(std::chrono::milliseconds delay, std::function<void()> then) {
  asio::post(*core_->io, [core = core_.get(), delay, then = std::move(then)]() mutable {
    if (core->stopping) return;
    const auto timer = std::make_shared<asio::steady_timer>(*core->io, delay);
    core->timers[timer.get()] = timer;
    timer->async_wait([core, key = timer.get(), then = std::move(then)](error_code error) {
      core->timers.erase(key);
      if (!error && !core->stopping) then();
    });
  });
}

std::vector<std::string> resolve_host(const std::string& host) {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  std::vector<std::string> addresses;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return addresses;
  for (const addrinfo* entry = found; entry; entry = entry->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text.data());
    }
  }
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace qvl
