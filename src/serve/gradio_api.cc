#include "serve/gradio_api.h"

#include <chrono>
#include <mutex>

#include "base/json.h"
#include "chat/chat_service.h"
#include "serve/fields.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kMaxPromptBytes = size_t{4} << 20;

// The mean over all answers so far.
class Durations {
 public:
  double add(double seconds) {
    const std::lock_guard lock(mutex_);
    ++count_;
    sum_ += seconds;
    return sum_ / static_cast<double>(count_);
  }

 private:
  std::mutex mutex_;  // guards the two below
  int64_t count_ = 0;
  double sum_ = 0;
};

class PredictAnswer final : public Exchange {
 public:
  PredictAnswer(std::unique_ptr<DeltaStream> stream, Clock::time_point begin, std::shared_ptr<Durations> durations)
      : stream_(std::move(stream)), begin_(begin), durations_(std::move(durations)) {}

  void set_waker(std::function<void()> waker) override { stream_->set_waker(std::move(waker)); }

  void stop(const Error& why) override {
    stopped_.emplace(why);
    stream_->cancel();
  }

  Poll poll() override {
    if (stopped_) return {Poll::Kind::kResponse, {}, error_response(*stopped_)};
    while (auto item = stream_->try_next()) {
      answer_ += item->delta.content;
      if (item->outcome) return {Poll::Kind::kResponse, {}, finish(*item->outcome)};
    }
    return {};
  }

 private:
  HttpResponse finish(const AnswerOutcome& outcome) {
    if (outcome.error) return error_response(*outcome.error);
    if (outcome.end == AnswerEnd::kCancelled) {
      return error_response(Error(ErrorKind::kOverloaded, "cancelled", "the answer was cancelled by the server"));
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    return json_response(dump_json({{"data", Json::array({answer_})},
                                    {"is_generating", false},
                                    {"duration", seconds},
                                    {"average_duration", durations_->add(seconds)}}));
  }

  std::unique_ptr<DeltaStream> stream_;
  Clock::time_point begin_;
  std::shared_ptr<Durations> durations_;
  std::string answer_;
  std::optional<Error> stopped_;
};

std::string read_picture(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) invalid_type("data[1]", "null, a string with base64 or an object with a \"url\"", value);
  const Fields file(value, "data[1]");
  if (const auto url = file.string("url")) return *url;
  if (file.has("path")) unsupported("data[1].path", "files on the server are not read; send \"url\" with a data URI");
  missing_required("data[1].url");
}

const ServedModel& choose_model(const Json& mode, const ModelRegistry& models) {
  if (mode.is_null()) return models.default_model();
  if (!mode.is_string()) invalid_type("data[2]", "\"instruct\" or \"thinking\"", mode);
  const auto& name = mode.get_ref<const std::string&>();
  if (name == "instruct" || name == "Instruct") return models.find_kind(TemplateKind::kInstruct);
  if (name == "thinking" || name == "Thinking") return models.find_kind(TemplateKind::kThinking);
  invalid_value("data[2]", fmt::format("expected \"instruct\" or \"thinking\", found \"{}\"", printable(name)));
}

std::optional<double> number_at(const Json& data, size_t index, double low, double high) {
  if (index >= data.size()) return std::nullopt;
  const Json named = {{fmt::format("data[{}]", index), data[index]}};
  return Fields(named).number(named.begin().key().c_str(), low, high);
}

ChatRequest read_predict(const Json& json, const ModelRegistry& models) {
  const Fields fields(json);
  const Json* data = fields.array("data", 64);
  if (!data) missing_required("data");
  if (data->empty()) missing_required("data[0]");
  const Json none;
  const auto at = [&](size_t index) -> const Json& { return index < data->size() ? (*data)[index] : none; };
  if (!at(0).is_string()) invalid_type("data[0]", "a string", at(0));
  if (at(0).get_ref<const std::string&>().size() > kMaxPromptBytes) {
    throw Error(ErrorKind::kTooLarge, "body_too_large",
                fmt::format("the prompt is longer than {} bytes", kMaxPromptBytes), "data[0]");
  }
  ChatRequest request;
  request.model = &choose_model(at(2), models);
  Json parts = Json::array();
  if (!at(1).is_null()) {
    PictureInput picture;
    picture.source = read_picture(at(1));
    picture.param = "data[1]";
    request.input.pictures.push_back(std::move(picture));
    parts.push_back({{"type", "image"}});
  }
  parts.push_back({{"type", "text"}, {"text", at(0)}});
  request.input.messages = Json::array({{{"role", "user"}, {"content", std::move(parts)}}});
  request.sampling.temperature = number_at(*data, 3, 0, 2);
  request.sampling.top_p = number_at(*data, 4, 1e-6, 1);
  if (data->size() > 5 && !at(5).is_null()) request.sampling.max_tokens = to_integer(at(5), "data[5]", 1, 2147483647);
  return request;
}

}  // namespace

std::vector<Route> gradio_routes(const ModelRegistry& models) {
  const auto durations = std::make_shared<Durations>();
  const Handler predict = [&models, durations](HttpRequest& http) -> HandlerResult {
    const auto begin = Clock::now();
    const Json json = parse_request_json(http.body);
    http.body = {};
    return std::make_unique<PredictAnswer>(start_chat(read_predict(json, models), http.abandoned.get()), begin,
                                           durations);
  };
  std::vector<Route> routes;
  for (const char* path : {"/api/predict", "/api/predict/", "/run/predict"})
    routes.push_back({"POST", path, false, predict});
  return routes;
}

}  // namespace qvl
