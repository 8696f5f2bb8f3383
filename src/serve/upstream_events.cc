#include "serve/upstream_events.h"

#include <algorithm>

#include "serve/http_types.h"

namespace qvl {
namespace {

constexpr size_t kMaxMessageBytes = 2000;

[[noreturn]] void failed(const char* what) {
  throw Error(ErrorKind::kBadGateway, "upstream_failed", fmt::format("the engine behind this server {}", what));
}

Json parse_upstream(std::string_view text) {
  return parse_json(text, "the engine's answer", ErrorKind::kBadGateway, "upstream_failed");
}

// "error" of an event or a body: an object, or the bare text that transformers sends.
std::string normal_error(const Json& error, int status) {
  Json out = {{"message", ""}, {"type", "server_error"}, {"param", nullptr}, {"code", "upstream_error"}};
  if (error.is_string()) out["message"] = printable(error.get_ref<const std::string&>(), kMaxMessageBytes);
  if (error.is_object()) out.update(error);
  if (!out["message"].is_string() || out["message"].get_ref<const std::string&>().empty()) {
    out["message"] = status > 0 ? fmt::format("the engine behind this server answered {}", status)
                                : std::string("the engine behind this server failed");
  }
  return dump_json({{"error", std::move(out)}});
}

bool not_empty(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return false;
  return !(found->is_string() && found->get_ref<const std::string&>().empty()) && !(found->is_array() && found->empty());
}

bool shows_something(const Json& choice) {
  if (not_empty(choice, "finish_reason") || not_empty(choice, "text")) return true;
  const auto delta = choice.find("delta");
  if (delta == choice.end() || !delta->is_object()) return false;
  const auto shown = {"content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal"};
  return std::any_of(shown.begin(), shown.end(), [&](const char* key) { return not_empty(*delta, key); });
}

}  // namespace

void EventSplitter::push(std::string_view bytes) {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  buffer_ += bytes;
}

std::optional<std::string> EventSplitter::next() {
  size_t at = searched_;
  for (; (at = buffer_.find('\n', at)) != buffer_.npos; ++at) {
    size_t end = at + 1;
    if (end < buffer_.size() && buffer_[end] == '\r') ++end;
    if (end >= buffer_.size()) break;  // the next bytes tell
    if (buffer_[end] != '\n') continue;
    std::string event = buffer_.substr(begin_, end + 1 - begin_);
    begin_ = searched_ = end + 1;
    return event;
  }
  searched_ = std::min(at, buffer_.size());
  if (buffer_.size() - begin_ > kMaxEventBytes) failed("sent an event that is too long");
  return std::nullopt;
}

std::string event_data(std::string_view event) {
  std::string data;
  bool any = false;
  while (!event.empty()) {
    std::string_view line = event.substr(0, event.find('\n'));
    event.remove_prefix(std::min(line.size() + 1, event.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with("data:")) continue;
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (any) data += '\n';
    data += line;
    any = true;
  }
  return data;
}

bool name_reasoning_twice(Json& message) {
  if (!message.is_object()) return false;
  const bool longer = not_empty(message, "reasoning_content"), shorter = not_empty(message, "reasoning");
  if (longer == shorter) return false;
  const char* const from = longer ? "reasoning_content" : "reasoning";
  if (!message[from].is_string()) return false;
  message[longer ? "reasoning" : "reasoning_content"] = std::string(message[from]);
  return true;
}

std::string EventRelay::relay(std::string event) {
  const std::string data = event_data(event);
  if (data.empty()) return "";
  if (form_ == AnswerForm::kChat || form_ == AnswerForm::kCompletions) {
    if (data != "[DONE]") return relay_json(std::move(event), data);
    has_token_ = done_ = true;
    return "data: [DONE]\n\n";
  }
  has_token_ = true;
  finished_ = finished_ || data.find("\"message_stop\"") != data.npos || data.find("\"response.completed\"") != data.npos ||
              data.find("\"response.incomplete\"") != data.npos || data.find("\"response.failed\"") != data.npos ||
              data.find("\"error\"") != data.npos;
  return event;
}

std::string EventRelay::relay_json(std::string event, const std::string& data) {
  Json json = parse_upstream(data);
  if (!json.is_object()) failed("sent an event that is no JSON object");
  if (const auto error = json.find("error"); error != json.end() && !error->is_null()) {
    has_token_ = done_ = true;
    return "data: " + normal_error(*error, 0) + "\n\n";
  }
  bool changed = false;
  const auto choices = json.find("choices");
  if (choices != json.end() && choices->is_array()) {
    for (Json& choice : *choices) {
      if (!choice.is_object()) failed("sent a choice that is no JSON object");
      has_token_ = has_token_ || shows_something(choice);
      finished_ = finished_ || not_empty(choice, "finish_reason");
      if (form_ == AnswerForm::kChat && choice.contains("delta")) changed |= name_reasoning_twice(choice["delta"]);
    }
  }
  return changed ? "data: " + dump_json(json) + "\n\n" : std::move(event);
}

std::string EventRelay::finish() {
  const bool has_mark = form_ == AnswerForm::kChat || form_ == AnswerForm::kCompletions;
  if (done_) return "";
  if (!finished_) failed("ended the answer early");
  done_ = true;
  return has_mark ? "data: [DONE]\n\n" : "";
}

std::string error_event(AnswerForm form, const Error& error) {
  if (form == AnswerForm::kMessages) return "event: error\ndata: " + error_json(error, ErrorStyle::kAnthropic) + "\n\n";
  if (form == AnswerForm::kResponses) {
    return "event: error\ndata: " +
           dump_json({{"type", "error"}, {"code", error.code}, {"message", error.what()}, {"param", nullptr}}) + "\n\n";
  }
  return "data: " + error_json(error) + "\n\n";
}

std::string upstream_error_json(int status, const std::string& body) {
  Json json;
  try {
    json = parse_upstream(body);
  } catch (const Error&) {
  }
  if (!json.is_object()) return normal_error(Json(), status);
  // OpenAI's form, Anthropic's, FastAPI's "detail", vLLM's older flat one.
  if (const auto error = json.find("error"); error != json.end() && !error->is_null()) return normal_error(*error, status);
  for (const char* key : {"message", "detail"}) {
    if (not_empty(json, key) && json[key].is_string()) return normal_error(json[key], status);
  }
  if (not_empty(json, "detail")) return normal_error(dump_json(json["detail"]), status);
  return normal_error(Json(), status);
}

}  // namespace qvl
