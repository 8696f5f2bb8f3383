// What the HTTP server and the interfaces on top of it tell each other. No library's types: only http_server.cc knows
// Asio.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"

namespace qvl {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// The first of that name (any case); empty where there is none.
std::string_view find_header(const HttpHeaders& headers, std::string_view name);

struct HttpRequest {
  std::string id;      // X-Request-Id of the answer
  std::string method;  // "GET"
  std::string path;    // percent-decoded, valid UTF-8, without the query
  std::string query;   // as sent
  HttpHeaders headers;
  std::string body;
  std::shared_ptr<const std::atomic<bool>> abandoned;  // turns true when the client has left

  // The first header of that name (any case); empty where there is none.
  std::string_view header(std::string_view name) const;
  size_t header_count(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  HttpHeaders headers;
};

// What an exchange's answer took, for the log; no text of it.
struct AnswerReport {
  std::string model;
  const char* finish = "";
  int64_t prompt_tokens = 0, completion_tokens = 0, vision_tokens = 0, cached_tokens = 0;
  double queue_ms = 0, vision_ms = 0, prefill_ms = 0, decode_ms = 0, ttft_ms = 0;
};

// An answer that is not ready at once. The server polls it, from one thread at a time; destroying it frees all its
// work.
class Exchange {
 public:
  struct Poll {
    enum class Kind {
      kPending,   // nothing yet: poll again after the waker was called
      kResponse,  // the whole answer; the last poll
      kChunk,     // bytes of an event stream (text/event-stream)
      kEnd,       // the event stream is complete; bytes may hold its last events
    } kind = Kind::kPending;
    std::string bytes;
    HttpResponse response;
  };

  virtual ~Exchange() = default;
  virtual Poll poll() = 0;
  // Called once, before the first poll. The waker is quick and may be called from any thread.
  virtual void set_waker(std::function<void()> waker) = 0;
  // The answer cannot go on; the next poll gives the error as a response or as the stream's last event.
  virtual void stop(const Error& why) = 0;
  // Of what was done so far, where a model answers. From the thread that polls.
  virtual std::optional<AnswerReport> report() const { return std::nullopt; }
};

using HandlerResult = std::variant<HttpResponse, std::unique_ptr<Exchange>>;
// May throw Error, which becomes the error object.
using Handler = std::function<HandlerResult(HttpRequest&)>;  // may take the body

// The error object that a route's clients expect: OpenAI's {"error":{"message","type","param","code"}}, or Anthropic's
// {"type":"error","error":{"type","message"}} (with our "code" and "param" beside them).
enum class ErrorStyle { kOpenAi, kAnthropic };
enum class BodyType { kJson, kMultipart };

// Answers of one route by status / 100.
struct RouteAnswers {
  std::string method, path;
  std::array<Counter, 6> classes;
  void add(int status) { classes[status >= 100 && status < 600 ? static_cast<size_t>(status / 100) : 0].add(); }
};

struct Route {
  std::string method;  // GET (answers HEAD as well) or POST
  std::string path;    // exact; a final "*" stands for any rest
  bool quick = false;  // runs on the connection's thread: must not wait or compute
  Handler handler;
  bool open = false;  // needs no API key
  BodyType body = BodyType::kJson;
  ErrorStyle errors = ErrorStyle::kOpenAi;
  std::shared_ptr<RouteAnswers> answers;  // counted by the server, where set
};

// The error object with the status of the error's kind.
HttpResponse error_response(const Error& error, ErrorStyle style = ErrorStyle::kOpenAi);
// The object alone, for events of a stream.
std::string error_json(const Error& error, ErrorStyle style = ErrorStyle::kOpenAi);
HttpResponse json_response(std::string body);

}  // namespace qvl
