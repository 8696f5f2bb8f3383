#include "serve/anthropic_api.h"

#include "serve/anthropic_format.h"
#include "serve/anthropic_request.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

AnthropicRequest read(HttpRequest& http, const ModelRegistry& models, bool counting) {
  Json json = parse_request_json(http.body);
  http.body = {};  // may be large; the pictures are in `json` now
  return read_anthropic(json, models, counting);
}

HandlerResult messages(HttpRequest& http, const ModelRegistry& models) {
  AnthropicRequest request = read(http, models, false);
  request.chat.stream_tool_calls = request.stream;
  AnswerJob job;
  job.answers = std::make_unique<AnswerSet>(start_chats(request.chat, 1, http.abandoned.get()));
  job.format = std::make_unique<AnthropicFormat>(request.chat.model->id, job.answers->prompt(0).tokens);
  job.stream = request.stream;
  return make_answer_exchange(std::move(job));
}

HandlerResult count_tokens(HttpRequest& http, const ModelRegistry& models) {
  const AnthropicRequest request = read(http, models, true);
  const Prompt prompt = measure_prompt(*request.chat.model, request.chat.input, http.abandoned.get());
  return json_response(dump_json({{"input_tokens", prompt.token_ids.size()}}));
}

}  // namespace

std::vector<Route> anthropic_routes(const ModelRegistry& models) {
  std::vector<Route> routes = {
      {"POST", "/v1/messages", false, [&models](HttpRequest& request) { return messages(request, models); }},
      {"POST", "/v1/messages/count_tokens", false,
       [&models](HttpRequest& request) { return count_tokens(request, models); }},
  };
  for (Route& route : routes) route.errors = ErrorStyle::kAnthropic;
  return routes;
}

}  // namespace qvl
