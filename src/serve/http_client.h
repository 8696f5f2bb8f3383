// Requests of this program to others, over HTTP/1.1 with or without TLS: asynchronous on one thread of its own, one
// connection a request, no redirects, proxies, cookies or compression. What arrives waits in a bounded buffer; a reader
// who is slow makes the sender slow.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/http_types.h"
#include "serve/http_url.h"

namespace qvl {

struct ClientRequest {
  std::string method = "GET";
  HttpUrl url;
  HttpHeaders headers;  // besides Host, User-Agent, Connection, Accept-Encoding and Content-Length
  std::shared_ptr<const std::string> body;
  // Connects to one of these instead of asking the resolver; Host, SNI and the certificate's name stay those of the URL.
  std::vector<std::string> addresses;
  std::chrono::milliseconds connect_timeout{5000};  // name, connection and TLS, each
  std::chrono::milliseconds head_timeout{600000};   // the request sent to the answer's head read
  std::chrono::milliseconds idle_timeout{600000};   // between two pieces of the body
};

// One request under way; used from one thread at a time. Destroying it closes the connection.
class HttpCall {
 public:
  // How far the request came: after kConnect the server has not seen it.
  enum class Stage { kConnect, kHead, kBody };
  struct Poll {
    enum class Kind { kPending, kHead, kBytes, kEnd, kFailed } kind = Kind::kPending;
    int status = 0;             // kHead
    HttpHeaders headers;        // kHead
    std::string bytes;          // kBytes
    Stage stage{};              // kFailed
    bool timed_out = false;     // kFailed
    std::string reason;         // kFailed: "connection refused"; no addresses, no names
    std::string_view header(std::string_view name) const;
  };

  struct Shared;
  explicit HttpCall(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

  // Head, then bytes, then the end; a failure at any time ends it.
  Poll poll();
  // Called from the client's thread whenever poll() has news, at once where it has some already. Must be quick.
  void set_waker(std::function<void()> waker);
  // poll(), waiting for news until then; kPending where none came.
  Poll wait(std::chrono::steady_clock::time_point until);

 private:
  std::shared_ptr<Shared> shared_;
};

// A whole answer; status 0: it failed, for `reason`.
struct FetchResult {
  int status = 0;
  std::string body, reason;
  bool timed_out = false;
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();  // ends all calls; their handles may outlive it
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  std::unique_ptr<HttpCall> start(ClientRequest request);
  // Both run `then` on the client's thread, unless the client goes before.
  void fetch(ClientRequest request, size_t max_bytes, std::function<void(FetchResult)> then);
  void after(std::chrono::milliseconds delay, std::function<void()> then);

 private:
  struct Core;
  std::unique_ptr<Core> core_;
};

// The numeric addresses of a name, in the system's order; none where it has none. Waits for the resolver.
std::vector<std::string> resolve_host(const std::string& host);

}  // namespace qvl
