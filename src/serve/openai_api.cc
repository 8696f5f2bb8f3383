#include "serve/openai_api.h"

#include "base/json.h"
#include "chat/chat_service.h"
#include "serve/chat_format.h"
#include "serve/openai_request.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

void append(ChatDelta& all, ChatDelta&& delta) {
  all.reasoning += delta.reasoning;
  all.content += delta.content;
  std::move(delta.tool_calls.begin(), delta.tool_calls.end(), std::back_inserter(all.tool_calls));
  std::move(delta.logprobs.begin(), delta.logprobs.end(), std::back_inserter(all.logprobs));
}

Error outcome_error(const AnswerOutcome& outcome) {
  if (outcome.error) return *outcome.error;
  return Error(ErrorKind::kOverloaded, "cancelled", "the answer was cancelled by the server");
}

bool failed(const AnswerOutcome& outcome) {
  return outcome.end == AnswerEnd::kError || outcome.end == AnswerEnd::kCancelled;
}

// One object at the end.
class WholeAnswer final : public Exchange {
 public:
  WholeAnswer(std::unique_ptr<DeltaStream> stream, AnswerHead head, bool logprobs)
      : stream_(std::move(stream)), head_(std::move(head)), logprobs_(logprobs) {}

  void set_waker(std::function<void()> waker) override { stream_->set_waker(std::move(waker)); }

  void stop(const Error& why) override {
    stopped_.emplace(why);
    stream_->cancel();
  }

  Poll poll() override {
    if (stopped_) return {Poll::Kind::kResponse, {}, error_response(*stopped_)};
    while (auto item = stream_->try_next()) {
      append(all_, std::move(item->delta));
      if (!item->outcome) continue;
      const AnswerOutcome& outcome = *item->outcome;
      return {Poll::Kind::kResponse,
              {},
              failed(outcome) ? error_response(outcome_error(outcome))
                              : json_response(dump_json(completion_json(head_, all_, outcome, logprobs_)))};
    }
    return {};
  }

 private:
  std::unique_ptr<DeltaStream> stream_;
  AnswerHead head_;
  bool logprobs_;
  ChatDelta all_;
  std::optional<Error> stopped_;
};

// Events as the tokens come.
class StreamedAnswer final : public Exchange {
 public:
  StreamedAnswer(std::unique_ptr<DeltaStream> stream, ChunkWriter writer)
      : stream_(std::move(stream)), writer_(std::move(writer)) {}

  void set_waker(std::function<void()> waker) override { stream_->set_waker(std::move(waker)); }

  void stop(const Error& why) override {
    stopped_.emplace(why);
    stream_->cancel();
  }

  Poll poll() override {
    if (!begun_) {
      begun_ = true;
      return {Poll::Kind::kChunk, writer_.first(), {}};
    }
    if (stopped_) return error_event(*stopped_);
    auto item = stream_->try_next();
    if (!item) return {};
    std::string events = writer_.delta(item->delta);
    if (!item->outcome) return {Poll::Kind::kChunk, std::move(events), {}};
    if (failed(*item->outcome)) {
      Poll poll = error_event(outcome_error(*item->outcome));
      poll.bytes.insert(0, events);
      return poll;
    }
    return {Poll::Kind::kEnd, events + writer_.last(*item->outcome), {}};
  }

 private:
  static Poll error_event(const Error& error) { return {Poll::Kind::kEnd, "data: " + error_json(error) + "\n\n", {}}; }

  std::unique_ptr<DeltaStream> stream_;
  ChunkWriter writer_;
  bool begun_ = false;
  std::optional<Error> stopped_;
};

HandlerResult chat_completions(HttpRequest& http, const ModelRegistry& models, const std::string& version) {
  Json json = parse_request_json(http.body);
  http.body = {};  // may be large; the pictures are in `json` now
  OpenAiChatRequest request = read_openai_chat(json, models);
  json = Json();
  AnswerHead head = make_answer_head(request.chat.model->id, version);
  auto stream = start_chat(request.chat, http.abandoned.get());
  if (request.stream) {
    return std::make_unique<StreamedAnswer>(std::move(stream), ChunkWriter(std::move(head), request.include_usage));
  }
  return std::make_unique<WholeAnswer>(std::move(stream), std::move(head), request.chat.sampling.logprobs >= 0);
}

Json model_json(const ServedModel& model) {
  const SamplingDefaults& d = model.defaults;
  const int64_t context = model.engine->context_tokens();
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created},
          {"owned_by", model.owned_by},
          {"max_model_len", context},
          {"architecture",
           {{"input_modalities", Json::array({"text", "image"})}, {"output_modalities", Json::array({"text"})}}},
          {"qwen3vl",
           {{"template", model.kind_name()},
            {"demo", model.demo},
            {"context", context},
            {"defaults",
             {{"temperature", d.temperature},
              {"top_p", d.top_p},
              {"top_k", d.top_k},
              {"min_p", d.min_p},
              {"repetition_penalty", d.repetition_penalty},
              {"presence_penalty", d.presence_penalty},
              {"max_tokens", d.max_tokens}}}}}};
}

HandlerResult list_models(const ModelRegistry& models) {
  Json data = Json::array();
  for (const auto& model : models.models()) data.push_back(model_json(*model));
  return json_response(dump_json({{"object", "list"}, {"data", std::move(data)}}));
}

}  // namespace

std::vector<Route> openai_routes(const ModelRegistry& models, const std::string& version) {
  static constexpr std::string_view kModels = "/v1/models/";
  return {
      {"POST", "/v1/chat/completions", false,
       [&models, version](HttpRequest& request) { return chat_completions(request, models, version); }},
      {"GET", "/v1/models", true, [&models](HttpRequest&) { return list_models(models); }},
      {"GET", std::string(kModels) + "*", true,
       [&models](HttpRequest& request) -> HandlerResult {
         return json_response(dump_json(model_json(models.find(request.path.substr(kModels.size())))));
       }},
  };
}

}  // namespace qvl
