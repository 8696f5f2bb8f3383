#include "serve/upstream_predict.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <climits>

#include "serve/fields.h"

namespace qvl {
namespace {

using Clock = std::chrono::steady_clock;

// As the page tells them apart: by what another qwen3vl says of its models, else by the name.
bool is_thinking(const Json& model) {
  const auto own = model.find("qwen3vl");
  if (own != model.end() && own->is_object() && own->contains("template")) return (*own)["template"] == "thinking";
  std::string id = model["id"].get<std::string>();
  std::transform(id.begin(), id.end(), id.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return id.find("thinking") != id.npos;
}

std::string choose_model(const Json& mode, const UpstreamPool& pool) {
  const auto models = pool.models();
  if (models.empty()) throw pool.nobody_serves("");
  if (mode.is_null()) return models.front()["id"].get<std::string>();
  if (!mode.is_string()) invalid_type("data[2]", "\"instruct\" or \"thinking\"", mode);
  std::string name = mode.get<std::string>();
  if (!name.empty()) name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  if (name != "instruct" && name != "thinking") {
    invalid_value("data[2]", fmt::format("expected \"instruct\" or \"thinking\", found \"{}\"", printable(name)));
  }
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const Json& model) { return is_thinking(model) == (name == "thinking"); });
  if (found != models.end()) return (*found)["id"].get<std::string>();
  throw Error(ErrorKind::kNotFound, "model_not_found", fmt::format("no {} model is served", name), "data[2]");
}

Json picture_part(const Json& value) {
  Json url = value;
  if (value.is_object()) {
    const auto text = Fields(value, "data[1]").string("url");
    if (!text) missing_required("data[1].url");
    url = *text;
  }
  if (!url.is_string()) invalid_type("data[1]", "null, a string with base64 or an object with a \"url\"", value);
  return {{"type", "image_url"}, {"image_url", {{"url", std::move(url)}}}};
}

class PredictAnswer final : public Exchange {
 public:
  explicit PredictAnswer(std::unique_ptr<Exchange> answer) : answer_(std::move(answer)) {}
  void set_waker(std::function<void()> waker) override { answer_->set_waker(std::move(waker)); }
  void stop(const Error& why) override { answer_->stop(why); }
  Poll poll() override {
    Poll poll = answer_->poll();
    if (poll.kind == Poll::Kind::kChunk || poll.kind == Poll::Kind::kEnd) throw_failed();  // it was asked for no stream
    if (poll.kind != Poll::Kind::kResponse || poll.response.status != 200) return poll;
    poll.response.body = translate(poll.response.body);
    return poll;
  }

 private:
  [[noreturn]] static void throw_failed() {
    throw Error(ErrorKind::kBadGateway, "upstream_failed", "the engine behind this server sent no chat completion");
  }
  std::string translate(const std::string& body) const {
    const Json json = parse_json(body, "the engine's answer", ErrorKind::kBadGateway, "upstream_failed");
    const auto at = Json::json_pointer("/choices/0/message/content");
    if (!json.contains(at) || !(json[at].is_string() || json[at].is_null())) throw_failed();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    return dump_json({{"data", Json::array({json[at].is_null() ? Json("") : json[at]})},
                      {"is_generating", false},
                      {"duration", seconds},
                      {"average_duration", seconds}});
  }

  std::unique_ptr<Exchange> answer_;
  const Clock::time_point begin_ = Clock::now();
};

}  // namespace

Json read_upstream_predict(const Json& json, const UpstreamPool& pool) {
  const Json* data = Fields(json).array("data", 64);
  if (!data) missing_required("data");
  if (data->empty()) missing_required("data[0]");
  const Json none;
  const auto at = [&](size_t index) -> const Json& { return index < data->size() ? (*data)[index] : none; };
  if (!at(0).is_string()) invalid_type("data[0]", "a string", at(0));
  Json parts = Json::array();
  if (!at(1).is_null()) parts.push_back(picture_part(at(1)));
  parts.push_back({{"type", "text"}, {"text", at(0)}});
  Json body = {{"model", choose_model(at(2), pool)},
               {"messages", Json::array({{{"role", "user"}, {"content", std::move(parts)}}})}};
  const auto number = [&](size_t index, const char* name, double low, double high) {
    const std::string field = fmt::format("data[{}]", index);
    const Json named = {{field, at(index)}};
    if (const auto value = Fields(named).number(field.c_str(), low, high)) body[name] = *value;
  };
  number(3, "temperature", 0, 2);
  number(4, "top_p", 1e-6, 1);
  if (!at(5).is_null()) body["max_tokens"] = to_integer(at(5), "data[5]", 1, INT_MAX);
  return body;
}

std::unique_ptr<Exchange> make_predict_answer(std::unique_ptr<Exchange> answer) {
  return std::make_unique<PredictAnswer>(std::move(answer));
}

}  // namespace qvl
