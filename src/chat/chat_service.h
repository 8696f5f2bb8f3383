// One chat request from its meaning to a running stream: prompt, sampling, thinking budget, submit. Stateless,
// thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/delta_stream.h"
#include "chat/processor.h"
#include "chat/served_model.h"

namespace qvl {

// Absent fields take the model's defaults. Values are validated by whoever reads them from a request.
struct SamplingRequest {
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k;
  std::optional<int64_t> max_tokens;
  int64_t min_tokens = 0;
  std::optional<uint64_t> seed;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::vector<int32_t> stop_token_ids;
  bool ignore_eos = false;
  int logprobs = -1;                             // alternatives reported; -1: no log probabilities
  std::optional<int64_t> thinking_token_budget;  // tokens of reasoning; Thinking template only
  int priority = 0;                              // lower first
  std::shared_ptr<const VocabularyGrammar> grammar;  // that the answer follows, after its reasoning
};

struct ChatRequest {
  const ServedModel* model = nullptr;
  ChatInput input;
  SamplingRequest sampling;
  std::vector<std::string> stop;
  bool stream_tool_calls = false;  // as in AnswerOptions
  bool single_tool_call = false;
  bool truncate = false;  // leave out the oldest turns where the conversation fills the context
};

// The sampling of a prompt of prompt_tokens.
//  - temperature 0 without a presence_penalty of its own gets none: the recommended one belongs to the sampling recipe.
//  - max_tokens is cut to what the context leaves.
//  - Thinking: a quarter of max_tokens, at least 16 and at most 1024 tokens but never more than half, stays reserved
//  for
//    the answer: when only that is left, or thinking_token_budget is used up, the engine appends "\n</think>\n\n".
SamplingParams make_sampling(const ServedModel& model, const SamplingRequest& request, int64_t prompt_tokens);

// Builds the prompt (slow: pictures) and submits it. Errors: make_prompt()'s and Engine::submit()'s.
std::unique_ptr<DeltaStream> start_chat(const ChatRequest& request, const std::atomic<bool>* abandoned = nullptr);
// Several answers to one request: the prompt is built once, answer i takes the seed + i. All or none are submitted.
std::vector<std::unique_ptr<DeltaStream>> start_chats(const ChatRequest& request, int n,
                                                      const std::atomic<bool>* abandoned = nullptr);

// Text that goes on without a template: nothing in it or in the answer is a marker of thinking or tools.
struct CompletionRequest {
  const ServedModel* model = nullptr;
  std::vector<std::vector<int32_t>> prompts;
  int n = 1;  // answers to each
  SamplingRequest sampling;
  std::vector<std::string> stop;
};
// n answers to the first prompt, then to the second, ... All or none are submitted. Errors: Engine::submit()'s.
std::vector<std::unique_ptr<DeltaStream>> start_completions(const CompletionRequest& request);

PromptCounts count_tokens(const ModelConfig& config, const Prompt& prompt);

}  // namespace qvl
