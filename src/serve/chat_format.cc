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
  // -9999 is OpenAI's stand-in for minus infinity, which JSON has not.
  return {{"token", utf8_repair(bytes)}, {"logprob", std::max(logprob, -9999.0f)}, {"bytes", std::move(numbers)}};
}

double per_second(int64_t count, double ms) { return ms > 0 ? static_cast<double>(count) * 1000.0 / ms : 0.0; }
double per_token(int64_t count, double ms) { return count > 0 ? ms / static_cast<double>(count) : 0.0; }

Json tool_call_json(const AnswerToolCall& call, const std::string& arguments) {
  return {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", arguments}}}};
}

}  // namespace

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

AnswerHead make_answer_head(const std::string& model, const std::string& version) {
  return {random_id("chatcmpl-"), model, "qwen3vl-" + version, unix_seconds()};
}

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
  return {{"prompt_tokens", stats.prompt_tokens},
          {"completion_tokens", stats.completion_tokens},
          {"total_tokens", stats.prompt_tokens + stats.completion_tokens},
          {"prompt_tokens_details",
           {{"cached_tokens", stats.cached_tokens}, {"image_tokens", stats.vision_tokens}, {"video_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", outcome.reasoning_tokens}}}};
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

Json completion_json(const AnswerHead& head, const ChatDelta& all, const AnswerOutcome& outcome, bool logprobs) {
  Json message = {{"role", "assistant"}};
  message["content"] = all.content.empty() && !all.tool_calls.empty() ? Json() : Json(all.content);
  message["reasoning_content"] = all.reasoning.empty() ? Json() : Json(all.reasoning);
  message["reasoning"] = message["reasoning_content"];
  if (!all.tool_calls.empty()) {
    Json calls = Json::array();
    for (const AnswerToolCall& call : all.tool_calls) calls.push_back(tool_call_json(call, call.arguments));
    message["tool_calls"] = std::move(calls);
  }
  message["refusal"] = nullptr;
  Json choice = {{"index", 0},
                 {"message", std::move(message)},
                 {"logprobs", logprobs ? logprobs_json(all.logprobs) : Json()},
                 {"finish_reason", finish_reason(outcome.end)}};
  return {{"id", head.id},
          {"object", "chat.completion"},
          {"created", head.created},
          {"model", head.model},
          {"system_fingerprint", head.fingerprint},
          {"choices", Json::array({std::move(choice)})},
          {"usage", usage_json(outcome)},
          {"timings", timings_json(outcome.stats)}};
}

std::string sse_event(const Json& json) { return "data: " + dump_json(json) + "\n\n"; }

Json ChunkWriter::chunk(Json delta, Json logprobs, Json finish) const {
  Json choice = {{"index", 0},
                 {"delta", std::move(delta)},
                 {"logprobs", std::move(logprobs)},
                 {"finish_reason", std::move(finish)}};
  Json json = {
      {"id", head_.id},       {"object", "chat.completion.chunk"},       {"created", head_.created},
      {"model", head_.model}, {"system_fingerprint", head_.fingerprint}, {"choices", Json::array({std::move(choice)})}};
  if (include_usage_) json["usage"] = nullptr;
  return json;
}

std::string ChunkWriter::first() const {
  return sse_event(chunk({{"role", "assistant"}, {"content", ""}}, nullptr, nullptr));
}

std::string ChunkWriter::delta(const ChatDelta& delta) {
  std::string events;
  if (!delta.reasoning.empty()) {
    events +=
        sse_event(chunk({{"reasoning_content", delta.reasoning}, {"reasoning", delta.reasoning}}, nullptr, nullptr));
  }
  if (!delta.content.empty() || !delta.logprobs.empty()) {
    Json logprobs = delta.logprobs.empty() ? Json() : logprobs_json(delta.logprobs);
    events += sse_event(chunk({{"content", delta.content}}, std::move(logprobs), nullptr));
  }
  for (const AnswerToolCall& call : delta.tool_calls) {
    Json opening = tool_call_json(call, "");
    Json opened = {{"index", tool_calls_}};
    opened.update(opening);
    events += sse_event(chunk({{"tool_calls", Json::array({std::move(opened)})}}, nullptr, nullptr));
    Json rest = {{"index", tool_calls_}, {"function", {{"arguments", call.arguments}}}};
    events += sse_event(chunk({{"tool_calls", Json::array({std::move(rest)})}}, nullptr, nullptr));
    ++tool_calls_;
  }
  return events;
}

std::string ChunkWriter::last(const AnswerOutcome& outcome) const {
  Json finish = chunk(Json::object(), nullptr, finish_reason(outcome.end));
  finish["timings"] = timings_json(outcome.stats);
  std::string events = sse_event(finish);
  if (include_usage_) {
    Json usage = chunk(Json::object(), nullptr, nullptr);
    usage["choices"] = Json::array();
    usage["usage"] = usage_json(outcome);
    usage["timings"] = timings_json(outcome.stats);
    events += sse_event(usage);
  }
  return events + "data: [DONE]\n\n";
}

}  // namespace qvl
