#include "serve/completions_format.h"

#include <algorithm>

#include "base/utf8.h"

namespace qvl {
namespace {

size_t characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

Json CompletionsFormat::head() const {
  return {{"id", head_.id},
          {"object", "text_completion"},
          {"created", head_.created},
          {"model", head_.model},
          {"system_fingerprint", head_.fingerprint}};
}

Json CompletionsFormat::logprobs(size_t index, const std::vector<LogprobEntry>& entries) {
  Json offsets = Json::array(), values = Json::array(), tokens = Json::array(), tops = Json::array();
  for (const LogprobEntry& entry : entries) {
    const std::string token = utf8_repair(entry.bytes);
    offsets.push_back(offsets_[index]);
    values.push_back(json_logprob(entry.logprob));
    tokens.push_back(token);
    Json top = Json::object();
    for (const auto& [bytes, logprob] : entry.top) top[utf8_repair(bytes)] = json_logprob(logprob);
    tops.push_back(std::move(top));
    offsets_[index] += characters(token);
  }
  return {{"text_offset", std::move(offsets)},
          {"token_logprobs", std::move(values)},
          {"tokens", std::move(tokens)},
          {"top_logprobs", std::move(tops)}};
}

Json CompletionsFormat::whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
                              const AnswerOutcome& total) {
  Json json = head();
  json["choices"] = Json::array();
  for (size_t i = 0; i < deltas.size(); ++i) {
    json["choices"].push_back({{"index", i},
                               {"text", options_.echo[i] + deltas[i].content},
                               {"logprobs", options_.logprobs ? logprobs(i, deltas[i].logprobs) : Json()},
                               {"finish_reason", finish_reason(outcomes[i].end)}});
  }
  json["usage"] = usage_json(total);
  json["timings"] = timings_json(total.stats);
  return json;
}

std::string CompletionsFormat::chunk(size_t index, const std::string& text, Json logprobs, Json finish,
                                     const Progress& progress) const {
  Json json = head();
  json["choices"] = Json::array(
      {{{"index", index}, {"text", text}, {"logprobs", std::move(logprobs)}, {"finish_reason", std::move(finish)}}});
  options_.usage.add(json, progress);
  return sse_event(json);
}

std::string CompletionsFormat::first() {
  std::string events;
  for (size_t i = 0; i < options_.echo.size(); ++i) {
    if (!options_.echo[i].empty()) events += chunk(i, options_.echo[i], nullptr, nullptr, {});
  }
  return events;
}

std::string CompletionsFormat::delta(size_t index, const ChatDelta& delta, const Progress& progress) {
  if (delta.content.empty() && delta.logprobs.empty()) return {};
  return chunk(index, delta.content, options_.logprobs ? logprobs(index, delta.logprobs) : Json(), nullptr, progress);
}

std::string CompletionsFormat::finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) {
  return chunk(index, "", nullptr, finish_reason(outcome.end), progress);
}

std::string CompletionsFormat::last(const AnswerOutcome& total) { return options_.usage.end(head(), total); }

}  // namespace qvl
