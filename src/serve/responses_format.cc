#include "serve/responses_format.h"

#include "chat/random_id.h"
#include "serve/chat_format.h"

namespace qvl {
namespace {

Json usage(const AnswerOutcome& outcome) {
  const RequestStats& stats = outcome.stats;
  return {{"input_tokens", stats.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", stats.cached_tokens}}},
          {"output_tokens", stats.completion_tokens},
          {"output_tokens_details", {{"reasoning_tokens", outcome.reasoning_tokens}}},
          {"total_tokens", stats.prompt_tokens + stats.completion_tokens}};
}

Json part_json(bool reasoning, const std::string& text, const Json& logprobs) {
  if (reasoning) return {{"type", "reasoning_text"}, {"text", text}};
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", logprobs}};
}

Json message_item() {
  return {{"id", random_id("msg_")},
          {"type", "message"},
          {"status", "in_progress"},
          {"role", "assistant"},
          {"content", Json::array()}};
}

}  // namespace

ResponsesFormat::ResponsesFormat(const std::string& model, const Json& echo) {
  response_ = {{"id", random_id("resp_")},
               {"object", "response"},
               {"created_at", unix_seconds()},
               {"status", "in_progress"},
               {"model", model},
               {"output", Json::array()},
               {"error", nullptr},
               {"incomplete_details", nullptr},
               {"usage", nullptr}};
  response_.update(echo);
}

std::string ResponsesFormat::event(const char* type, Json members) {
  Json json = {{"type", type}, {"sequence_number", sequence_number_++}};
  json.update(members);
  return sse_event(type, json);
}

Json ResponsesFormat::place() const { return {{"item_id", item_["id"]}, {"output_index", response_["output"].size()}}; }

Json ResponsesFormat::place_of_part() const {
  Json json = place();
  json["content_index"] = 0;
  return json;
}

std::string ResponsesFormat::first() {
  std::string events = event("response.created", {{"response", response_}});
  return events + event("response.in_progress", {{"response", response_}});
}

std::string ResponsesFormat::open(Item kind, Json item) {
  if (kind_ == kind && kind != Item::kCall) return {};
  std::string events = close(true);
  kind_ = kind;
  item_ = std::move(item);
  events += event("response.output_item.added", {{"output_index", response_["output"].size()}, {"item", item_}});
  if (kind == Item::kCall) return events;
  Json members = place_of_part();
  members["part"] = part_json(kind == Item::kReasoning, "", Json::array());
  return events + event("response.content_part.added", std::move(members));
}

std::string ResponsesFormat::text(const char* type, const std::string& delta, const Json& logprobs) {
  text_ += delta;
  Json members = kind_ == Item::kCall ? place() : place_of_part();
  members["delta"] = delta;
  if (kind_ == Item::kMessage) {
    members["logprobs"] = logprobs;
    logprobs_.insert(logprobs_.end(), logprobs.begin(), logprobs.end());
  }
  return event(type, std::move(members));
}

std::string ResponsesFormat::delta(size_t, const ChatDelta& delta, const Progress&) {
  std::string events;
  if (!delta.reasoning.empty()) {
    events += open(Item::kReasoning, {{"id", random_id("rs_")},
                                      {"type", "reasoning"},
                                      {"status", "in_progress"},
                                      {"summary", Json::array()},
                                      {"content", Json::array()}});
    events += text("response.reasoning_text.delta", delta.reasoning, Json::array());
  }
  if (!delta.content.empty() || !delta.logprobs.empty()) {
    events += open(Item::kMessage, message_item());
    events += text("response.output_text.delta", delta.content, logprobs_json(delta.logprobs)["content"]);
  }
  for (const AnswerToolCall& call : delta.tool_calls) {
    if (!call.id.empty()) {
      events += open(Item::kCall, {{"id", random_id("fc_")},
                                   {"type", "function_call"},
                                   {"status", "in_progress"},
                                   {"call_id", call.id},
                                   {"name", call.name},
                                   {"arguments", ""}});
    }
    if (!call.arguments.empty()) {
      events += text("response.function_call_arguments.delta", call.arguments, Json::array());
    }
  }
  return events;
}

std::string ResponsesFormat::close_call() {
  item_["arguments"] = text_;
  Json members = place();
  members["name"] = item_["name"];
  members["arguments"] = text_;
  return event("response.function_call_arguments.done", std::move(members));
}

std::string ResponsesFormat::close_part() {
  const bool reasoning = kind_ == Item::kReasoning;
  Json part = part_json(reasoning, text_, logprobs_);
  Json members = place_of_part();
  members["text"] = text_;
  if (!reasoning) members["logprobs"] = logprobs_;
  std::string events =
      event(reasoning ? "response.reasoning_text.done" : "response.output_text.done", std::move(members));
  members = place_of_part();
  members["part"] = part;
  item_["content"].push_back(std::move(part));
  return events + event("response.content_part.done", std::move(members));
}

std::string ResponsesFormat::close(bool complete) {
  if (kind_ == Item::kNone) return {};
  std::string events = kind_ == Item::kCall ? close_call() : close_part();
  item_["status"] = complete ? "completed" : "incomplete";
  events += event("response.output_item.done", {{"output_index", response_["output"].size()}, {"item", item_}});
  response_["output"].push_back(std::move(item_));
  kind_ = Item::kNone;
  text_.clear();
  logprobs_ = Json::array();
  return events;
}

std::string ResponsesFormat::finish(size_t, const AnswerOutcome& outcome, const Progress&) {
  const bool complete = outcome.end != AnswerEnd::kLength;
  std::string events;
  if (kind_ == Item::kNone && response_["output"].empty()) events += open(Item::kMessage, message_item());
  events += close(complete);
  response_["status"] = complete ? "completed" : "incomplete";
  if (!complete) response_["incomplete_details"] = {{"reason", "max_output_tokens"}};
  response_["usage"] = usage(outcome);
  return events + event(complete ? "response.completed" : "response.incomplete", {{"response", response_}});
}

Json ResponsesFormat::whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
                            const AnswerOutcome&) {
  delta(0, deltas.front(), {});
  finish(0, outcomes.front(), {});
  return std::move(response_);
}

std::string ResponsesFormat::error(const Error& error) {
  std::string events = close(false);
  const Json param = error.param.empty() ? Json() : Json(error.param);
  events += event("error", {{"code", error.code}, {"message", error.what()}, {"param", param}});
  response_["status"] = "failed";
  response_["error"] = {{"code", error.code}, {"message", error.what()}};
  return events + event("response.failed", {{"response", response_}});
}

}  // namespace qvl
