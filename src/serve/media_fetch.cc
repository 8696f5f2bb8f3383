#include "serve/media_fetch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace qvl {
namespace {

constexpr int kMaxLookups = 32;
constexpr std::chrono::milliseconds kPoll{50};  // how soon a client's leaving is noticed
std::atomic<int> lookups{0};

[[noreturn]] void fail(const char* code, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, code, message);
}
[[noreturn]] void fail_timeout() { fail("fetch_timeout", "the picture's URL answered too slowly"); }
[[noreturn]] void fail_host(const char* why) { fail("url_host_not_allowed", fmt::format("the URL's host is not allowed: {}", why)); }

void check_abandoned(const std::atomic<bool>* abandoned) {
  if (abandoned && abandoned->load()) throw Error(ErrorKind::kInternal, "abandoned", "the client has left");
}

// Of a name whose resolver may hang: the thread that asks outlives the wait.
struct Lookup {
  std::mutex mutex;
  std::condition_variable done;
  std::optional<std::vector<std::string>> addresses;
};

class Slot {
 public:
  Slot(std::atomic<int>& used, int limit) : used_(used) {
    if (++used_ <= limit) return;
    --used_;
    throw Error(ErrorKind::kOverloaded, "overloaded", "too many pictures are being fetched at once; try again");
  }
  ~Slot() { --used_; }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

 private:
  std::atomic<int>& used_;
};

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

MediaFetcher::MediaFetcher(MediaFetchOptions options) : options_(std::move(options)) {
  for (const std::string& text : options_.hosts) {
    try {
      const HttpUrl url = parse_http_url("http://" + text);
      if (url.target != "/" || text.find_first_of("/?#") != text.npos) fail("invalid_url", "expected HOST or HOST:PORT");
      const bool has_port = text.rfind(':') != text.npos && text.back() != ']';
      entries_.push_back({url.host, has_port ? url.port : 0});
    } catch (const Error& error) {
      throw Error(ErrorKind::kBadFlag, "bad_flag", fmt::format("--allow-media-urls {}: {}", printable(text), error.what()));
    }
  }
  if (!options_.folder.empty()) folder_.emplace(options_.folder);
  if (options_.urls) client_ = std::make_unique<HttpClient>();
}

std::vector<std::byte> MediaFetcher::read_file(std::string_view path, size_t max_bytes) const {
  return folder_->read(path, max_bytes);
}

std::vector<std::byte> MediaFetcher::fetch(std::string_view text, size_t max_bytes, const std::atomic<bool>* abandoned) const {
  const Slot slot(running_, options_.max_at_once);
  const Limits limits{Clock::now() + options_.total, max_bytes, abandoned};
  HttpUrl url = parse_http_url(text);
  for (int hop = 0; hop <= options_.max_redirects; ++hop) {
    std::vector<std::byte> bytes;
    const auto elsewhere = ask(url, limits, bytes);
    if (!elsewhere) return bytes;
    url = *elsewhere;
  }
  fail("too_many_redirects", fmt::format("the picture's URL redirects more than {} times", options_.max_redirects));
}

std::vector<std::string> MediaFetcher::checked_addresses(const HttpUrl& url, const Limits& limits) const {
  const auto entry = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& one) {
    return one.host == url.host && (one.port == url.port || (one.port == 0 && (url.port == 80 || url.port == 443)));
  });
  if (entry == entries_.end() && !entries_.empty()) fail_host("this server's --allow-media-urls does not name it");
  const bool named_port = entry != entries_.end() && entry->port != 0;
  if (!named_port && url.port != 80 && url.port != 443) fail_host("expected port 80 or 443");
  std::vector<std::string> addresses = url.address ? std::vector{url.host} : resolve(url.host, limits);
  if (named_port) return addresses;
  if (!std::all_of(addresses.begin(), addresses.end(), is_global_address)) fail_host("it is not on the public internet");
  return addresses;
}

std::vector<std::string> MediaFetcher::resolve(const std::string& host, const Limits& limits) const {
  if (++lookups > kMaxLookups) {
    --lookups;
    throw Error(ErrorKind::kOverloaded, "overloaded", "too many names are being resolved at once; try again");
  }
  const auto lookup = std::make_shared<Lookup>();
  std::thread([lookup, host, resolve = options_.resolve] {
    std::vector<std::string> addresses = resolve(host);
    --lookups;
    const std::lock_guard lock(lookup->mutex);
    lookup->addresses = std::move(addresses);
    lookup->done.notify_all();
  }).detach();
  std::unique_lock lock(lookup->mutex);
  while (!lookup->addresses) {
    check_abandoned(limits.abandoned);
    if (Clock::now() >= limits.until) fail_timeout();
    lookup->done.wait_for(lock, kPoll);
  }
  if (lookup->addresses->empty()) fail("fetch_failed", "the host of the picture's URL was not found");
  return std::move(*lookup->addresses);
}

HttpCall::Poll MediaFetcher::next(HttpCall& call, const Limits& limits) const {
  while (true) {
    check_abandoned(limits.abandoned);
    const auto now = Clock::now();
    if (now >= limits.until) fail_timeout();
    HttpCall::Poll poll = call.wait(std::min(limits.until, now + kPoll));
    if (poll.kind == HttpCall::Poll::Kind::kPending) continue;
    if (poll.kind != HttpCall::Poll::Kind::kFailed) return poll;
    if (poll.timed_out) fail_timeout();
    fail("fetch_failed", "the picture's URL could not be fetched");
  }
}

// Where the answer redirects to; nullopt where `bytes` is the picture.
std::optional<HttpUrl> MediaFetcher::ask(const HttpUrl& url, const Limits& limits, std::vector<std::byte>& bytes) const {
  ClientRequest request;
  request.url = url;
  request.addresses = checked_addresses(url, limits);
  request.headers.emplace_back("Accept", "image/*");
  request.head_timeout = request.idle_timeout = options_.total;
  const auto call = client_->start(std::move(request));
  const HttpCall::Poll head = next(*call, limits);
  if (is_redirect(head.status)) return resolve_redirect(url, head.header("Location"));
  if (head.status != 200) fail("fetch_failed", fmt::format("the picture's URL answers with the status {}", head.status));
  const std::string_view coding = head.header("Content-Encoding");
  if (!coding.empty() && coding != "identity") fail("fetch_failed", "the picture's URL answers in a compressed form");
  read_body(*call, limits, bytes);
  return std::nullopt;
}

void MediaFetcher::read_body(HttpCall& call, const Limits& limits, std::vector<std::byte>& bytes) const {
  const auto earning = Clock::now() + options_.grace;
  while (true) {
    const HttpCall::Poll poll = next(call, limits);
    if (poll.kind == HttpCall::Poll::Kind::kEnd) return;
    const auto* const begin = reinterpret_cast<const std::byte*>(poll.bytes.data());
    bytes.insert(bytes.end(), begin, begin + poll.bytes.size());
    if (bytes.size() > limits.max_bytes) {
      fail("fetch_too_large", fmt::format("the picture behind the URL has more than {} bytes", limits.max_bytes));
    }
    const auto past_grace = std::chrono::duration<double>(Clock::now() - earning).count();
    if (past_grace > 0 && static_cast<double>(bytes.size()) < past_grace * static_cast<double>(options_.min_rate_bytes)) {
      fail_timeout();
    }
  }
}

}  // namespace qvl
