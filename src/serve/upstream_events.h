// The event stream of another engine: cut into events, read as far as this server must understand them, and passed on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace qvl {

// What a route's answers look like.
enum class AnswerForm {
  kChat,         // /v1/chat/completions
  kCompletions,  // /v1/completions: the same end, other choices
  kMessages,     // Anthropic's
  kResponses,    // OpenAI's /v1/responses
  kPlain,        // never streamed
};

// Takes the bytes of a text/event-stream apart.
class EventSplitter {
 public:
  static constexpr size_t kMaxEventBytes = size_t{4} << 20;
  void push(std::string_view bytes);
  // The next whole event with its empty line. Errors: kBadGateway "upstream_failed" for an event past the limit.
  std::optional<std::string> next();

 private:
  std::string buffer_;
  size_t begin_ = 0, searched_ = 0;  // events before the first are taken, before the second none ends
};

// Joined "data:" lines of an event; empty for comments.
std::string event_data(std::string_view event);

// One stream on its way through.
class EventRelay {
 public:
  explicit EventRelay(AnswerForm form) : form_(form) {}

  // What the client gets for this event: mostly the event itself. A chat event that names its reasoning one way
  // ("reasoning", "reasoning_content") gets the other as well; an error becomes OpenAI's error object; comments are
  // dropped. Errors: kBadGateway "upstream_failed" for data that is not JSON where JSON must be.
  std::string relay(std::string event);
  bool has_token() const { return has_token_; }  // something a reader sees has come
  bool done() const { return done_; }            // nothing more may come
  // The stream's bytes have ended: what is still missing of it, "data: [DONE]" where everything else came. Errors:
  // kBadGateway "upstream_failed" where it broke off.
  std::string finish();

 private:
  std::string relay_json(std::string event, const std::string& data);

  const AnswerForm form_;
  bool has_token_ = false, finished_ = false, done_ = false;
};

// Both names for the reasoning in a message or delta; true where something was added.
bool name_reasoning_twice(Json& message);

// An error as this form's last event.
std::string error_event(AnswerForm form, const Error& error);
// The engine's own error body, in whatever form, as an OpenAI error object.
std::string upstream_error_json(int status, const std::string& body);

}  // namespace qvl
