#include "serve/server_info_api.h"

#include <algorithm>

#include "base/json.h"

namespace qvl {
namespace {

// Models may share an engine: each counts once.
std::vector<const ServedModel*> one_model_an_engine(const ModelRegistry& models) {
  std::vector<const ServedModel*> out;
  for (const auto& model : models.models()) {
    const auto same = [&](const ServedModel* other) { return other->engine == model->engine; };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(model.get());
  }
  return out;
}

HandlerResult props(const ModelRegistry& models, const std::string& version) {
  const ServedModel& model = models.default_model();
  return json_response(
      dump_json({{"default_generation_settings",
                  {{"n_ctx", model.engine->context_tokens()}, {"params", sampling_defaults_json(model.defaults)}}},
                 {"total_slots", one_model_an_engine(models).size()},
                 {"model_alias", model.id},
                 {"template", model.kind_name()},
                 {"modalities", {{"vision", true}, {"video", true}, {"audio", false}}},
                 {"build_info", "qwen3vl-" + version}}));
}

HandlerResult slots(const ModelRegistry& models) {
  Json out = Json::array();
  for (const ServedModel* model : one_model_an_engine(models)) {
    const EngineStats stats = model->engine->stats();
    out.push_back({{"id", out.size()},
                   {"model", model->id},
                   {"n_ctx", model->engine->context_tokens()},
                   {"is_processing", stats.running > 0},
                   {"running", stats.running},
                   {"waiting", stats.waiting},
                   {"kv_blocks_total", stats.kv_blocks_total},
                   {"kv_blocks_free", stats.kv_blocks_free}});
  }
  return json_response(dump_json(out));
}

HandlerResult no_embeddings(HttpRequest&) {
  throw Error(ErrorKind::kNotImplemented, "not_implemented",
              "the served models write text: they were not trained to give embeddings");
}

}  // namespace

Json sampling_defaults_json(const SamplingDefaults& d) {
  return {{"temperature", d.temperature},
          {"top_p", d.top_p},
          {"top_k", d.top_k},
          {"min_p", d.min_p},
          {"repetition_penalty", d.repetition_penalty},
          {"presence_penalty", d.presence_penalty},
          {"max_tokens", d.max_tokens}};
}

std::vector<Route> server_info_routes(const ModelRegistry& models, const std::string& version) {
  std::vector<Route> routes;
  routes.push_back({"GET", "/props", true, [&models, version](HttpRequest&) { return props(models, version); }});
  routes.push_back({"GET", "/slots", true, [&models](HttpRequest&) { return slots(models); }});
  for (const char* path : {"/v1/embeddings", "/embeddings"}) routes.push_back({"POST", path, true, no_embeddings});
  return routes;
}

}  // namespace qvl
