#include "serve/responses_api.h"

#include "serve/request_json.h"
#include "serve/responses_format.h"
#include "serve/responses_request.h"

namespace qvl {
namespace {

HandlerResult responses(HttpRequest& http, const ModelRegistry& models) {
  Json json = parse_request_json(http.body);
  http.body = {};  // may be large; the pictures are in `json` now
  ResponsesRequest request = read_responses(json, models);
  json = Json();
  request.chat.stream_tool_calls = request.stream;
  AnswerJob job;
  job.format = std::make_unique<ResponsesFormat>(request.chat.model->id, request.echo);
  job.answers = std::make_unique<AnswerSet>(start_chats(request.chat, 1, http.abandoned.get()));
  job.stream = request.stream;
  return make_answer_exchange(std::move(job));
}

}  // namespace

std::vector<Route> responses_routes(const ModelRegistry& models) {
  return {{"POST", "/v1/responses", false, [&models](HttpRequest& request) { return responses(request, models); }}};
}

}  // namespace qvl
