#include "serve/chat_format.h"

#include <algorithm>
#include <chrono>

#include "base/utf8.h"
#include "chat/random_id.h"

namespace qvl {
namespace {

Json token_json(const std::string& bytes, float logprob) {
  Json numbers = Json::array();
  for (const char c : bytes) numbers.push_back(static_cast<int>(static_cast<unsigned char>(c)));
  return {{"token", utf8_repair(bytes)}, {"logprob", json_logprob(logprob)}, {"bytes", std::move(numbers)}};
}

double per_second(int64_t count, double ms) { return ms > 0 ? static_cast<double>(count) * 1000.0 / ms : 0.0; }
double per_token(int64_t count, double ms) { return count > 0 ? ms / static_cast<double>(count) : 0.0; }

Json tool_call_json(const AnswerToolCall& call, const std::string& arguments) {
  return {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", arguments}}}};
}

Json truncation_json(const AnswerOutcome& outcome) { return {{"dropped_messages", outcome.dropped_messages}}; }

}  // namespace

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

AnswerHead make_answer_head(const std::string& model, const std::string& version, std::string_view id_prefix) {
  return {random_id(id_prefix), model, "qwen3vl-" + version, unix_seconds()};
}

float json_logprob(float logprob) { return std::max(logprob, -9999.0f); }

const char* finish_reason(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kLength:
      return "length";
    case AnswerEnd::kToolCalls:
      return "tool_calls";
    default:
      return "stop";
  }
}

Json usage_json(const AnswerOutcome& outcome) {
  const RequestStats& stats = outcome.stats;
  Json usage = {{"prompt_tokens", stats.prompt_tokens},
          {"completion_tokens", stats.completion_tokens},
          {"total_tokens", stats.prompt_tokens + stats.completion_tokens},
          {"prompt_tokens_details",
           {{"cached_tokens", stats.cached_tokens},
            {"image_tokens", outcome.prompt.image_tokens},
            {"video_tokens", outcome.prompt.video_tokens}}},
          {"completion_tokens_details", {{"reasoning_tokens", outcome.reasoning_tokens}}}};
  if (outcome.dropped_messages > 0) usage["prompt_truncation"] = truncation_json(outcome);
  return usage;
}

void StreamUsage::add(Json& chunk, const AnswerFormat::Progress& progress) const {
  if (continuous_usage) {
    chunk["usage"] = {{"prompt_tokens", progress.prompt_tokens},
                      {"completion_tokens", progress.completion_tokens},
                      {"total_tokens", progress.prompt_tokens + progress.completion_tokens}};
  } else if (include_usage) {
    chunk["usage"] = nullptr;
  }
}

std::string StreamUsage::end(Json head, const AnswerOutcome& total) const {
  std::string events;
  if (include_usage) {
    head["choices"] = Json::array();
    head["usage"] = usage_json(total);
    head["timings"] = timings_json(total.stats);
    events += sse_event(head);
  }
  return events + "data: [DONE]\n\n";
}

Json timings_json(const RequestStats& stats) {
  const int64_t computed = stats.prompt_tokens - stats.cached_tokens;
  return {{"cache_n", stats.cached_tokens},
          {"prompt_n", computed},
          {"prompt_ms", stats.prefill_ms},
          {"prompt_per_token_ms", per_token(computed, stats.prefill_ms)},
          {"prompt_per_second", per_second(computed, stats.prefill_ms)},
          {"predicted_n", stats.completion_tokens},
          {"predicted_ms", stats.decode_ms},
          {"predicted_per_token_ms", per_token(stats.completion_tokens, stats.decode_ms)},
          {"predicted_per_second", per_second(stats.completion_tokens, stats.decode_ms)},
          {"vision_n", stats.vision_tokens},
          {"vision_ms", stats.vision_ms},
          {"images_cached", stats.images_cached},
          {"vision_saved_ms", stats.vision_saved_ms},
          {"queue_ms", stats.queue_ms},
          {"ttft_ms", stats.ttft_ms}};
}

Json logprobs_json(const std::vector<LogprobEntry>& entries) {
  Json content = Json::array();
  for (const LogprobEntry& entry : entries) {
    Json token = token_json(entry.bytes, entry.logprob);
    Json top = Json::array();
    for (const auto& [bytes, logprob] : entry.top) top.push_back(token_json(bytes, logprob));
    token["top_logprobs"] = std::move(top);
    content.push_back(std::move(token));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

std::string sse_event(const Json& json) { return "data: " + dump_json(json) + "\n\n"; }

std::string sse_event(std::string_view name, const Json& json) {
  return fmt::format("event: {}\n", name) + sse_event(json);
}

Json ChatFormat::head(const char* object) const {
  return {{"id", head_.id},
          {"object", object},
          {"created", head_.created},
          {"model", head_.model},
          {"system_fingerprint", head_.fingerprint}};
}

Json ChatFormat::choice(size_t index, const ChatDelta& all, const AnswerOutcome& outcome) const {
  Json message = {{"role", "assistant"}};
  message["content"] = all.content.empty() && !all.tool_calls.empty() ? Json() : Json(all.content);
  message["reasoning_content"] = all.reasoning.empty() || !options_.reasoning ? Json() : Json(all.reasoning);
  message["reasoning"] = message["reasoning_content"];
  if (!all.tool_calls.empty()) {
    Json calls = Json::array();
    for (const AnswerToolCall& call : all.tool_calls) calls.push_back(tool_call_json(call, call.arguments));
    message["tool_calls"] = std::move(calls);
  }
  message["refusal"] = nullptr;
  return {{"index", index},
          {"message", std::move(message)},
          {"logprobs", options_.logprobs ? logprobs_json(all.logprobs) : Json()},
          {"finish_reason", finish_reason(outcome.end)}};
}

Json ChatFormat::whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
                       const AnswerOutcome& total) {
  Json json = head("chat.completion");
  json["choices"] = Json::array();
  for (size_t i = 0; i < deltas.size(); ++i) json["choices"].push_back(choice(i, deltas[i], outcomes[i]));
  json["usage"] = usage_json(total);
  json["timings"] = timings_json(total.stats);
  return json;
}

Json ChatFormat::chunk(size_t index, Json delta, Json logprobs, Json finish, const Progress& progress) const {
  Json json = head("chat.completion.chunk");
  json["choices"] = Json::array({{{"index", index},
                                  {"delta", std::move(delta)},
                                  {"logprobs", std::move(logprobs)},
                                  {"finish_reason", std::move(finish)}}});
  options_.usage.add(json, progress);
  return json;
}

std::string ChatFormat::first() {
  std::string events;
  for (size_t i = 0; i < calls_.size(); ++i) {
    events += sse_event(chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr, {}));
  }
  return events;
}

std::string ChatFormat::delta(size_t index, const ChatDelta& delta, const Progress& progress) {
  std::string events;
  const auto event = [&](Json json, Json logprobs = nullptr) {
    events += sse_event(chunk(index, std::move(json), std::move(logprobs), nullptr, progress));
  };
  if (!delta.reasoning.empty() && options_.reasoning) {
    event({{"reasoning_content", delta.reasoning}, {"reasoning", delta.reasoning}});
  }
  if (!delta.content.empty() || !delta.logprobs.empty()) {
    event({{"content", delta.content}}, delta.logprobs.empty() ? Json() : logprobs_json(delta.logprobs));
  }
  for (const AnswerToolCall& call : delta.tool_calls) {
    if (!call.id.empty()) {
      Json opened = {{"index", ++calls_[index]}};
      opened.update(tool_call_json(call, ""));
      event({{"tool_calls", Json::array({std::move(opened)})}});
    }
    if (call.arguments.empty()) continue;
    Json rest = {{"index", calls_[index]}, {"function", {{"arguments", call.arguments}}}};
    event({{"tool_calls", Json::array({std::move(rest)})}});
  }
  return events;
}

std::string ChatFormat::finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) {
  Json json = chunk(index, Json::object(), nullptr, finish_reason(outcome.end), progress);
  json["timings"] = timings_json(outcome.stats);
  if (outcome.dropped_messages > 0) json["prompt_truncation"] = truncation_json(outcome);
  return sse_event(json);
}

std::string ChatFormat::last(const AnswerOutcome& total) { return options_.usage.end(head("chat.completion.chunk"), total); }

}  // namespace qvl
