#include "serve/upstream_api.h"

#include <algorithm>

#include "base/json.h"
#include "serve/fields.h"
#include "serve/request_json.h"
#include "serve/upstream_answer.h"
#include "serve/upstream_media.h"
#include "serve/upstream_predict.h"

namespace qvl {
namespace {

struct Forwarded {
  const char* path;
  AnswerForm form;
};
constexpr Forwarded kForwarded[] = {
    {"/v1/chat/completions", AnswerForm::kChat},   {"/v1/completions", AnswerForm::kCompletions},
    {"/v1/responses", AnswerForm::kResponses},     {"/v1/messages", AnswerForm::kMessages},
    {"/v1/messages/count_tokens", AnswerForm::kPlain}};
constexpr size_t kRootBytes = std::string_view("/v1").size();  // some routes are served without it as well

bool is_own(const ModelRegistry& models, std::string_view id) {
  return std::any_of(models.models().begin(), models.models().end(), [&](const auto& model) { return model->id == id; });
}

std::string first_id(const UpstreamPool& pool) {
  const auto models = pool.models();
  return models.empty() ? "" : models.front()["id"].get<std::string>();
}

struct Upstreams {
  const ModelRegistry& models;
  UpstreamPool& pool;

  // The handler of this server's own models, or none where the route is the engines' alone.
  HandlerResult forward(const Forwarded& route, const Handler& own, HttpRequest& http) const {
    Json json = parse_request_json(http.body);
    const Json* const named = Fields(json).find("model");
    const bool has_own = own && !models.models().empty();
    if (named && !named->is_string() && !has_own) invalid_type("model", "a string", *named);
    if (has_own && (!named || !named->is_string() || is_own(models, named->get_ref<const std::string&>()))) return own(http);
    bool changed = false;
    if (!named) {
      json["model"] = first_id(pool);
      changed = true;
    }
    changed |= inline_media(json, models.media(), http.abandoned.get());
    UpstreamQuestion question;
    question.path = route.path;
    question.form = route.form;
    question.model = json["model"].get<std::string>();
    question.body = std::make_shared<const std::string>(changed ? dump_json(json) : std::move(http.body));
    question.request_id = http.id;
    http.body = {};
    return std::make_unique<UpstreamAnswer>(pool, std::move(question));
  }

  HandlerResult predict(const Handler& own, HttpRequest& http) const {
    if (!models.models().empty()) return own(http);
    Json body = read_upstream_predict(parse_request_json(http.body), pool);
    http.body = {};
    inline_media(body, models.media(), http.abandoned.get());
    UpstreamQuestion question{"/v1/chat/completions", AnswerForm::kChat, body["model"].get<std::string>(),
                              std::make_shared<const std::string>(dump_json(body)), http.id};
    return make_predict_answer(std::make_unique<UpstreamAnswer>(pool, std::move(question)));
  }

  HandlerResult list_models(const Handler& own, HttpRequest& http) const {
    HttpResponse response = std::get<HttpResponse>(own(http));
    Json json = Json::parse(response.body);
    for (Json& model : pool.models()) {
      if (!is_own(models, model["id"].get_ref<const std::string&>())) json["data"].push_back(std::move(model));
    }
    response.body = dump_json(json);
    return response;
  }

  HandlerResult one_model(const Handler& own, HttpRequest& http) const {
    const size_t models_at = http.path.find("/models/");
    const std::string id = http.path.substr(models_at + std::string_view("/models/").size());
    if (is_own(models, id)) return own(http);
    for (const Json& model : pool.models()) {
      if (model["id"] == id) return json_response(dump_json(model));
    }
    throw pool.nobody_serves(id);
  }

  // 503 only where nobody could answer anything.
  HandlerResult health() const {
    const auto counts = pool.counts();
    const bool well = counts.alive > 0 || !models.models().empty();
    HttpResponse response = json_response(dump_json(
        {{"status", well ? "ok" : "unavailable"}, {"upstreams", {{"alive", counts.alive}, {"total", counts.total}}}}));
    response.status = well ? 200 : 503;
    return response;
  }
};

using Outer = std::function<HandlerResult(const Handler&, HttpRequest&)>;

bool wrap(std::vector<Route>& routes, std::string_view method, std::string_view path, const Outer& outer) {
  for (Route& route : routes) {
    if (route.method != method || route.path != path) continue;
    route.handler = [own = std::move(route.handler), outer](HttpRequest& http) { return outer(own, http); };
    return true;
  }
  return false;
}

// With "/v1" and, where it is served so, without.
bool wrap_both(std::vector<Route>& routes, std::string_view method, std::string_view path, const Outer& outer) {
  wrap(routes, method, path.substr(kRootBytes), outer);
  return wrap(routes, method, path, outer);
}

}  // namespace

void add_upstreams(std::vector<Route>& routes, const ModelRegistry& models, UpstreamPool& pool) {
  const Upstreams upstreams{models, pool};
  for (const Forwarded& route : kForwarded) {
    const Outer outer = [upstreams, route](const Handler& own, HttpRequest& http) { return upstreams.forward(route, own, http); };
    if (wrap_both(routes, "POST", route.path, outer)) continue;
    routes.push_back({"POST", route.path, false, [outer](HttpRequest& http) { return outer(nullptr, http); }});
  }
  for (const char* path : {"/api/predict", "/api/predict/", "/run/predict"}) {
    wrap(routes, "POST", path, [upstreams](const Handler& own, HttpRequest& http) { return upstreams.predict(own, http); });
  }
  wrap_both(routes, "GET", "/v1/models",
            [upstreams](const Handler& own, HttpRequest& http) { return upstreams.list_models(own, http); });
  wrap_both(routes, "GET", "/v1/models/*",
            [upstreams](const Handler& own, HttpRequest& http) { return upstreams.one_model(own, http); });
  wrap(routes, "GET", "/health", [upstreams](const Handler&, HttpRequest&) { return upstreams.health(); });
}

}  // namespace qvl
