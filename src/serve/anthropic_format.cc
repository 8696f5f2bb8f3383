#include "serve/anthropic_format.h"

#include "chat/random_id.h"
#include "serve/chat_format.h"

namespace qvl {
namespace {

// Anthropic counts tokens that came from the cache apart from the others.
Json usage(int64_t prompt, int64_t cached, int64_t completion) {
  return {{"input_tokens", prompt - cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", cached},
          {"output_tokens", completion}};
}

Json usage(const AnswerOutcome& outcome) {
  return usage(outcome.stats.prompt_tokens, outcome.stats.cached_tokens, outcome.stats.completion_tokens);
}

const char* stop_reason(const AnswerOutcome& outcome) {
  switch (outcome.end) {
    case AnswerEnd::kLength:
      return "max_tokens";
    case AnswerEnd::kToolCalls:
      return "tool_use";
    default:
      return outcome.stop_text.empty() ? "end_turn" : "stop_sequence";
  }
}

void add_stop(Json& json, const AnswerOutcome& outcome) {
  json["stop_reason"] = stop_reason(outcome);
  json["stop_sequence"] = outcome.stop_text.empty() ? Json() : Json(outcome.stop_text);
}

// "input" is an object by the format; what else the model wrote stands in one.
Json tool_input(const std::string& arguments) {
  try {
    Json json = parse_json(arguments, "arguments", ErrorKind::kInternal, "arguments");
    if (json.is_object()) return json;
  } catch (const Error&) {
  }
  return {{"arguments", arguments}};
}

std::string event(const Json& json) { return sse_event(json["type"].get_ref<const std::string&>(), json); }

}  // namespace

AnthropicFormat::AnthropicFormat(std::string model, int64_t prompt_tokens)
    : id_(random_id("msg_")), model_(std::move(model)), prompt_tokens_(prompt_tokens) {}

Json AnthropicFormat::head() const {
  return {{"id", id_}, {"type", "message"}, {"role", "assistant"}, {"model", model_}};
}

Json AnthropicFormat::whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
                            const AnswerOutcome& total) {
  const ChatDelta& all = deltas.front();
  Json content = Json::array();
  if (!all.reasoning.empty()) {
    content.push_back({{"type", "thinking"}, {"thinking", all.reasoning}, {"signature", ""}});
  }
  if (!all.content.empty()) content.push_back({{"type", "text"}, {"text", all.content}});
  for (const AnswerToolCall& call : all.tool_calls) {
    content.push_back(
        {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", tool_input(call.arguments)}});
  }
  Json message = head();
  message["content"] = std::move(content);
  add_stop(message, outcomes.front());
  message["usage"] = usage(total);
  return message;
}

std::string AnthropicFormat::first() {
  Json message = head();
  message["content"] = Json::array();
  message["stop_reason"] = nullptr;
  message["stop_sequence"] = nullptr;
  message["usage"] = usage(prompt_tokens_, 0, 0);
  return event({{"type", "message_start"}, {"message", std::move(message)}}) + event({{"type", "ping"}});
}

std::string AnthropicFormat::open(Block kind, Json content_block) {
  if (block_ == kind && kind != Block::kToolUse) return {};
  std::string events = close();
  block_ = kind;
  return events +
         event({{"type", "content_block_start"}, {"index", ++index_}, {"content_block", std::move(content_block)}});
}

std::string AnthropicFormat::close() {
  if (block_ == Block::kNone) return {};
  block_ = Block::kNone;
  return event({{"type", "content_block_stop"}, {"index", index_}});
}

std::string AnthropicFormat::block_delta(Json delta) const {
  return event({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
}

std::string AnthropicFormat::delta(size_t, const ChatDelta& delta, const Progress&) {
  std::string events;
  if (!delta.reasoning.empty()) {
    events += open(Block::kThinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
    events += block_delta({{"type", "thinking_delta"}, {"thinking", delta.reasoning}});
  }
  if (!delta.content.empty()) {
    events += open(Block::kText, {{"type", "text"}, {"text", ""}});
    events += block_delta({{"type", "text_delta"}, {"text", delta.content}});
  }
  for (const AnswerToolCall& call : delta.tool_calls) {
    if (!call.id.empty()) {
      events += open(Block::kToolUse,
                     {{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", Json::object()}});
    }
    if (!call.arguments.empty()) {
      events += block_delta({{"type", "input_json_delta"}, {"partial_json", call.arguments}});
    }
  }
  return events;
}

std::string AnthropicFormat::finish(size_t, const AnswerOutcome& outcome, const Progress&) {
  Json delta = Json::object();
  add_stop(delta, outcome);
  return close() + event({{"type", "message_delta"}, {"delta", std::move(delta)}, {"usage", usage(outcome)}});
}

std::string AnthropicFormat::last(const AnswerOutcome&) { return event({{"type", "message_stop"}}); }

std::string AnthropicFormat::error(const Error& error) {
  return "event: error\ndata: " + error_json(error, ErrorStyle::kAnthropic) + "\n\n";
}

}  // namespace qvl
