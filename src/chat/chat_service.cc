#include "chat/chat_service.h"

#include <algorithm>
#include <iterator>

#include "chat/fitted_prompt.h"

namespace qvl {
namespace {

constexpr int64_t kMinAnswerReserve = 16, kMaxAnswerReserve = 1024;

// Leaves a quarter of the context to the answer, or what it may have at most.
FittedPrompt fitted_prompt(const ChatRequest& request, const std::atomic<bool>* abandoned) {
  const ServedModel& model = *request.model;
  const int64_t longest = request.sampling.max_tokens.value_or(model.defaults.max_tokens);
  return make_fitted_prompt(model, request.input, std::min(longest, model.engine->context_tokens() / 4), abandoned);
}

std::optional<ThinkingBudget> thinking_budget(const ServedModel& model, const SamplingRequest& request,
                                              int64_t max_tokens) {
  if (model.template_kind != TemplateKind::kThinking) return std::nullopt;
  const auto end = model.tokenizer->added_token_id("</think>");
  if (!end) return std::nullopt;
  ThinkingBudget budget;
  budget.end_token_id = *end;
  budget.max_thinking_tokens = request.thinking_token_budget.value_or(-1);
  budget.answer_reserve_tokens =
      std::min(std::clamp(max_tokens / 4, kMinAnswerReserve, kMaxAnswerReserve), std::max<int64_t>(max_tokens / 2, 0));
  budget.forced_ids = model.tokenizer->encode_with_added_tokens("\n</think>\n\n");
  return budget;
}

std::vector<std::unique_ptr<DeltaStream>> submit_all(const ServedModel& model, const Prompt& prompt,
                                                     const SamplingParams& params, const AnswerOptions& options,
                                                     int n) {
  const PromptCounts counts = count_tokens(model.config, prompt);
  std::vector<std::unique_ptr<DeltaStream>> streams;
  for (int i = 0; i < n; ++i) {
    SamplingParams own = params;
    if (own.seed) *own.seed += static_cast<uint64_t>(i);
    streams.push_back(std::make_unique<DeltaStream>(model.engine->submit(prompt, std::move(own)), *model.tokenizer,
                                                    options, counts, model.metrics));
  }
  return streams;
}

}  // namespace

PromptCounts count_tokens(const ModelConfig& config, const Prompt& prompt) {
  PromptCounts counts;
  counts.tokens = static_cast<int64_t>(prompt.token_ids.size());
  counts.image_tokens = std::count(prompt.token_ids.begin(), prompt.token_ids.end(), config.image_token_id);
  counts.video_tokens = std::count(prompt.token_ids.begin(), prompt.token_ids.end(), config.video_token_id);
  return counts;
}

SamplingParams make_sampling(const ServedModel& model, const SamplingRequest& request, int64_t prompt_tokens) {
  const SamplingDefaults& defaults = model.defaults;
  const auto f = [](double value) { return static_cast<float>(value); };
  SamplingParams params;
  params.temperature = f(request.temperature.value_or(defaults.temperature));
  params.top_p = f(request.top_p.value_or(defaults.top_p));
  params.min_p = f(request.min_p.value_or(defaults.min_p));
  params.repetition_penalty = f(request.repetition_penalty.value_or(defaults.repetition_penalty));
  const double default_presence = params.temperature > 0 ? defaults.presence_penalty : 0;
  params.presence_penalty = f(request.presence_penalty.value_or(default_presence));
  params.frequency_penalty = f(request.frequency_penalty.value_or(0));
  // -1 is another spelling of "off".
  params.top_k =
      static_cast<int>(std::clamp<int64_t>(request.top_k.value_or(defaults.top_k), 0, model.config.text.vocab_size));
  params.logit_bias = request.logit_bias;
  params.seed = request.seed;
  const int64_t room = std::max<int64_t>(model.engine->context_tokens() - prompt_tokens, 1);
  params.max_tokens = std::min(request.max_tokens.value_or(defaults.max_tokens), room);
  params.min_tokens = std::min(request.min_tokens, params.max_tokens);
  params.ignore_eos = request.ignore_eos;
  params.stop_token_ids = request.stop_token_ids;
  params.logprobs = request.logprobs;
  params.priority = request.priority;
  params.thinking = thinking_budget(model, request, params.max_tokens);
  if (request.grammar) params.constraint = constraint_factory(*model.tokenizer, request.grammar);
  return params;
}

namespace {

std::vector<std::unique_ptr<DeltaStream>> start_once(const ChatRequest& request, int n,
                                                     const std::atomic<bool>* abandoned) {
  const ServedModel& model = *request.model;
  const FittedPrompt fitted = request.truncate ? fitted_prompt(request, abandoned) : FittedPrompt{make_prompt(model, request.input, abandoned)};
  const Prompt& prompt = fitted.prompt;
  const SamplingParams params = make_sampling(model, request.sampling, static_cast<int64_t>(prompt.token_ids.size()));
  AnswerOptions options;
  options.starts_in_thinking =
      model.template_kind == TemplateKind::kThinking && request.input.render.add_generation_prompt;
  options.parse_tool_calls = request.input.tools.is_array() && !request.input.tools.empty();
  options.stream_tool_calls = request.stream_tool_calls;
  options.single_tool_call = request.single_tool_call;
  options.logprobs = params.logprobs >= 0;
  options.stop = request.stop;
  options.dropped_messages = fitted.dropped_messages;
  return submit_all(model, prompt, params, options, n);
}

}  // namespace

std::vector<std::unique_ptr<DeltaStream>> start_chats(const ChatRequest& request, int n,
                                                      const std::atomic<bool>* abandoned) {
  try {
    return start_once(request, n, abandoned);
  } catch (const Error& error) {
    if (error.code != "unknown_picture" || request.input.decode_known) throw;
  }
  // The engine let go of a picture's features since it was asked for them.
  ChatRequest again = request;
  again.input.decode_known = true;
  return start_once(again, n, abandoned);
}

std::unique_ptr<DeltaStream> start_chat(const ChatRequest& request, const std::atomic<bool>* abandoned) {
  return std::move(start_chats(request, 1, abandoned).front());
}

std::vector<std::unique_ptr<DeltaStream>> start_completions(const CompletionRequest& request) {
  const ServedModel& model = *request.model;
  AnswerOptions options;
  options.plain = true;
  options.logprobs = request.sampling.logprobs >= 0;
  options.stop = request.stop;
  std::vector<std::unique_ptr<DeltaStream>> streams;
  for (const auto& ids : request.prompts) {
    SamplingParams params = make_sampling(model, request.sampling, static_cast<int64_t>(ids.size()));
    params.thinking.reset();
    auto own = submit_all(model, prompt_of_ids(ids), params, options, request.n);
    std::move(own.begin(), own.end(), std::back_inserter(streams));
  }
  return streams;
}

}  // namespace qvl
