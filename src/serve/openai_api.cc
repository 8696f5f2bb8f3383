#include "serve/openai_api.h"

#include "base/json.h"
#include "chat/chat_service.h"
#include "serve/answer_exchange.h"
#include "serve/chat_format.h"
#include "serve/fields.h"
#include "serve/openai_request.h"
#include "serve/request_json.h"
#include "serve/server_info_api.h"

namespace qvl {
namespace {

HandlerResult chat_completions(HttpRequest& http, const ModelRegistry& models, const std::string& version,
                               const std::shared_ptr<RunningAnswers>& running) {
  Json json = parse_request_json(http.body);
  http.body = {};  // may be large; the pictures are in `json` now
  OpenAiChatRequest request = read_openai_chat(json, models);
  json = Json();
  AnswerJob job;
  job.format = std::make_unique<ChatFormat>(make_answer_head(request.chat.model->id, version),
                                            static_cast<size_t>(request.n), request.format);
  job.answers = std::make_unique<AnswerSet>(start_chats(request.chat, request.n, http.abandoned.get()));
  job.stream = request.stream;
  if (request.reasoning_control) job.steered = running;
  return make_answer_exchange(std::move(job));
}

// "End thinking now" of a request that asked for reasoning_control.
HandlerResult control(HttpRequest& http, RunningAnswers& running) {
  const Json json = parse_request_json(http.body);
  const Fields fields(json);
  const auto id = fields.string("id", 256), action = fields.string("action", 256);
  if (!id) missing_required("id");
  if (!action) missing_required("action");
  if (*action != "reasoning_end") {
    invalid_value("action", fmt::format("expected \"reasoning_end\", found \"{}\"", printable(*action)));
  }
  if (!running.end_thinking(*id)) {
    throw Error(ErrorKind::kNotFound, "not_found",
                fmt::format("no running request with \"reasoning_control\": true has the id \"{}\"", printable(*id)),
                "id");
  }
  return json_response(dump_json({{"success", true}}));
}

Json model_json(const ServedModel& model) {
  const int64_t context = model.engine->context_tokens();
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", model.owned_by},
          {"max_model_len", context},
          {"meta",
           {{"n_ctx", context},
            {"n_ctx_train", model.config.text.max_position_embeddings},
            {"n_vocab", model.config.text.vocab_size},
            {"n_embd", model.config.text.hidden_size}}},
          {"architecture",
           {{"input_modalities", Json::array({"text", "image", "video"})}, {"output_modalities", Json::array({"text"})}}},
          {"qwen3vl",
           {{"template", model.kind_name()},
            {"demo", model.demo},
            {"context", context},
            {"defaults", sampling_defaults_json(model.defaults)}}}};
}

HandlerResult list_models(const ModelRegistry& models) {
  Json data = Json::array();
  for (const auto& model : models.models()) data.push_back(model_json(*model));
  return json_response(dump_json({{"object", "list"}, {"data", std::move(data)}}));
}

}  // namespace

std::vector<Route> openai_routes(const ModelRegistry& models, const std::string& version) {
  const auto running = std::make_shared<RunningAnswers>();
  std::vector<Route> routes;
  // Clients are set up with a base address with /v1 or without.
  for (const std::string root : {"/v1", ""}) {
    routes.push_back({"POST", root + "/chat/completions", false, [&models, version, running](HttpRequest& request) {
                        return chat_completions(request, models, version, running);
                      }});
    routes.push_back({"POST", root + "/chat/completions/control", false,
                      [running](HttpRequest& request) { return control(request, *running); }});
    routes.push_back({"GET", root + "/models", true, [&models](HttpRequest&) { return list_models(models); }});
    const std::string one = root + "/models/";
    routes.push_back({"GET", one + "*", true, [&models, one](HttpRequest& request) -> HandlerResult {
                        return json_response(dump_json(model_json(models.find(request.path.substr(one.size())))));
                      }});
  }
  return routes;
}

}  // namespace qvl
