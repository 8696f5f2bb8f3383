#include "serve/completions_api.h"

#include "chat/chat_service.h"
#include "serve/completions_format.h"
#include "serve/openai_request.h"
#include "serve/openai_sampling.h"
#include "serve/prompt_text.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

constexpr size_t kMaxPrompts = 8;
constexpr int64_t kDefaultMaxTokens = 16;  // OpenAI's

// A string, an array of strings, token ids, or an array of arrays of them.
std::vector<std::vector<int32_t>> read_prompts(const Json& prompt, const ServedModel& model) {
  if (prompt.is_string()) return {encode_prompt(model, prompt, "prompt")};
  if (!prompt.is_array()) invalid_type("prompt", "a string, token ids, or an array of either", prompt);
  if (prompt.empty()) invalid_value("prompt", "expected at least one token");
  if (prompt.front().is_number()) return {read_token_ids(model, prompt, "prompt")};
  if (prompt.size() > kMaxPrompts) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("prompt: expected at most {} prompts, found {}", kMaxPrompts, prompt.size()), "prompt");
  }
  std::vector<std::vector<int32_t>> prompts;
  for (size_t i = 0; i < prompt.size(); ++i) {
    const std::string param = fmt::format("prompt[{}]", i);
    if (!prompt[i].is_string() && !prompt[i].is_array()) invalid_type(param, "a string or token ids", prompt[i]);
    prompts.push_back(prompt[i].is_string() ? encode_prompt(model, prompt[i], param)
                                            : read_token_ids(model, prompt[i], param));
  }
  return prompts;
}

HandlerResult completions(HttpRequest& http, const ModelRegistry& models, const std::string& version) {
  const Json json = parse_request_json(http.body);
  http.body = {};
  const Fields fields(json);
  CompletionRequest request;
  request.model = &named_model(fields, models);
  const ServedModel& model = *request.model;
  const int vocab_size = model.config.text.vocab_size;
  fields.require("prompt");
  refuse_unsupported(fields);
  check_annotations(fields);
  if (const auto suffix = fields.string("suffix"); suffix && !suffix->empty()) {
    unsupported("suffix", "these models only go on at the end of a text");
  }
  for (const char* name : {"response_format", "grammar", "guided_json", "guided_regex", "guided_choice", "guided_grammar",
                           "structured_outputs", "json_schema"}) {
    if (fields.has(name)) unsupported(name, "only of /v1/chat/completions");
  }
  const StreamRequest stream = read_stream(fields);
  read_sampling(fields, vocab_size, request.sampling, request.stop);
  if (!request.sampling.max_tokens)
    request.sampling.max_tokens = std::max(kDefaultMaxTokens, request.sampling.min_tokens);
  request.sampling.logprobs = static_cast<int>(fields.integer("logprobs", 0, 20).value_or(-1));
  request.n = read_n(fields);
  const bool echo = fields.boolean("echo").value_or(false);
  if (echo && request.sampling.logprobs >= 0)
    unsupported("logprobs", "not of the prompt: expected \"echo\": false beside it");
  request.prompts = read_prompts(json["prompt"], model);

  CompletionsFormatOptions options{request.sampling.logprobs >= 0, stream.usage, {}};
  for (const auto& ids : request.prompts) {
    const std::string text = echo ? model.tokenizer->decode(ids, false) : std::string();
    options.echo.insert(options.echo.end(), static_cast<size_t>(request.n), text);
  }
  AnswerJob job;
  job.format = std::make_unique<CompletionsFormat>(make_answer_head(model.id, version, "cmpl-"), std::move(options));
  job.answers = std::make_unique<AnswerSet>(start_completions(request), request.prompts.size());
  job.stream = stream.stream;
  return make_answer_exchange(std::move(job));
}

}  // namespace

std::vector<Route> completion_routes(const ModelRegistry& models, const std::string& version) {
  std::vector<Route> routes;
  for (const char* path : {"/v1/completions", "/completions"}) {
    routes.push_back({"POST", path, false,
                      [&models, version](HttpRequest& request) { return completions(request, models, version); }});
  }
  return routes;
}

}  // namespace qvl
