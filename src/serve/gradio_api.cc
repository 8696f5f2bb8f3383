#include "serve/gradio_api.h"

#include "base/json.h"
#include "media/sniff.h"
#include "serve/answer_set.h"
#include "serve/chat_format.h"
#include "serve/fields.h"
#include "serve/gradio_config.h"
#include "serve/gradio_queue.h"
#include "serve/gradio_request.h"
#include "serve/multipart.h"
#include "serve/request_json.h"
#include "serve/upload_store.h"

namespace qvl {
namespace {

using Clock = GradioQueue::Clock;
constexpr size_t kMaxUploadBytes = size_t{20} << 20, kMaxSessionBytes = 128;

// What the routes share.
struct App {
  explicit App(const ModelRegistry& served) : models(served) {}

  const ModelRegistry& models;
  std::shared_ptr<Durations> durations = std::make_shared<Durations>();
  std::shared_ptr<GradioQueue> queue = std::make_shared<GradioQueue>(durations);
  UploadStore uploads;
  std::string id = secret_name();
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

  std::optional<AnswerReport> report() const override { return report_; }

  Poll poll() override {
    if (stopped_) return {Poll::Kind::kResponse, {}, error_response(*stopped_)};
    while (auto item = stream_->try_next()) {
      answer_ += item->delta.content;
      if (item->outcome) report_ = report_of(*item->outcome, stream_->metrics());
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
  std::optional<AnswerReport> report_;
};

// A stream that says nothing but that the server is there.
class Heartbeat final : public Exchange {
 public:
  void set_waker(std::function<void()>) override {}
  void stop(const Error&) override { stopped_ = true; }
  Poll poll() override {
    if (stopped_) return {Poll::Kind::kEnd, {}, {}};
    if (begun_) return {};
    begun_ = true;
    return {Poll::Kind::kChunk, "data: ALIVE\n\n", {}};
  }

 private:
  bool begun_ = false, stopped_ = false;
};

// One message of a queue's stream, for sessions that have nothing else to say.
class LastWord final : public Exchange {
 public:
  explicit LastWord(std::string event) : event_(std::move(event)) {}
  void set_waker(std::function<void()>) override {}
  void stop(const Error&) override {}
  Poll poll() override { return {Poll::Kind::kEnd, event_, {}}; }

 private:
  std::string event_;
};

HandlerResult predict(App& app, HttpRequest& http) {
  const auto begin = Clock::now();
  const Json json = parse_request_json(http.body);
  http.body = {};
  const ChatRequest request = read_predict(json, app.models, app.uploads);
  return std::make_unique<PredictAnswer>(start_chat(request, http.abandoned.get()), begin, app.durations);
}

HandlerResult join(App& app, HttpRequest& http, bool with_session) {
  const size_t bytes = http.body.size();
  const Json json = parse_request_json(http.body);
  http.body = {};
  std::string session;
  if (with_session) {
    const auto hash = Fields(json).string("session_hash", kMaxSessionBytes);
    if (!hash || hash->empty()) missing_required("session_hash");
    session = *hash;
  }
  ChatRequest request = read_predict(json, app.models, app.uploads);
  const std::string id = app.queue->join(std::move(session), std::move(request), bytes, http.abandoned.get());
  return json_response(dump_json({{"event_id", id}}));
}

HandlerResult read_call(App& app, HttpRequest& http) {
  const std::string id = http.path.substr(http.path.rfind('/') + 1);
  auto stream = app.queue->read(id, GradioQueue::Style::kCall, http.abandoned.get());
  if (!stream) {
    throw Error(ErrorKind::kNotFound, "not_found",
                fmt::format("no call waits with the event id \"{}\"; each can be read once", printable(id)));
  }
  return stream;
}

std::string query_parameter(const std::string& query, std::string_view name) {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return std::string(pair.substr(name.size() + 1));
    }
  }
  return {};
}

HandlerResult read_queue(App& app, HttpRequest& http) {
  const std::string session = query_parameter(http.query, "session_hash");
  auto stream = app.queue->read(session, GradioQueue::Style::kQueue, http.abandoned.get());
  if (stream) return stream;
  return std::make_unique<LastWord>(
      sse_event({{"msg", "unexpected_error"}, {"message", "Session not found."}, {"session_not_found", true}}));
}

HandlerResult cancel(App& app, HttpRequest& http) {
  const Json json = parse_request_json(http.body);
  const Fields fields(json);
  const auto id = fields.string("event_id", kMaxSessionBytes);
  const std::string session = fields.string("session_hash", kMaxSessionBytes).value_or("");
  const bool found = id && (app.queue->cancel(session, *id) || app.queue->cancel(*id, *id));
  return json_response(dump_json({{"success", found}}));
}

HandlerResult upload(App& app, HttpRequest& http) {
  Json paths = Json::array();
  const auto parts = parse_multipart(http.header("Content-Type"), http.body);
  for (const MultipartPart& part : parts) {
    if (part.name != "files") continue;
    if (part.body.size() > kMaxUploadBytes) {
      throw Error(ErrorKind::kTooLarge, "body_too_large",
                  fmt::format("expected files of at most {} bytes, found {}", kMaxUploadBytes, part.body.size()),
                  "files");
    }
  }
  for (const MultipartPart& part : parts) {
    if (part.name == "files") paths.push_back(app.uploads.add(part.filename, part.body));
  }
  if (paths.empty()) missing_required("files");
  return json_response(dump_json(paths));
}

const char* media_type(std::optional<ImageFormat> format) {
  if (!format) return "application/octet-stream";
  switch (*format) {
    case ImageFormat::kPng:
      return "image/png";
    case ImageFormat::kJpeg:
      return "image/jpeg";
    case ImageFormat::kWebp:
      return "image/webp";
    case ImageFormat::kGif:
      return "image/gif";
    default:
      return "application/octet-stream";
  }
}

// Whatever was uploaded goes out to be saved; nothing of it runs in the page's name.
HandlerResult file(App& app, const std::string& path) {
  const auto bytes = app.uploads.find(path);
  if (!bytes) throw Error(ErrorKind::kNotFound, "not_found", "no file was uploaded here lately under this path");
  HttpResponse response;
  response.content_type = media_type(media::sniff(std::as_bytes(std::span(*bytes))).format);
  response.body = *bytes;
  response.headers = {{"Content-Disposition", "attachment"},
                      {"Content-Security-Policy", "sandbox; default-src 'none'"},
                      {"Cache-Control", "private, no-store"}};
  return response;
}

HandlerResult config(App& app, HttpRequest& http) {
  const std::string root = "http://" + std::string(http.header("Host"));
  return json_response(dump_json(gradio_config(root, app.id, app.models)));
}

}  // namespace

std::vector<Route> gradio_routes(const ModelRegistry& models) {
  const auto app = std::make_shared<App>(models);
  std::vector<Route> routes;
  const auto add = [&](const char* method, const std::string& path, bool quick,
                       HandlerResult (*handler)(App&, HttpRequest&)) {
    routes.push_back({method, path, quick, [app, handler](HttpRequest& request) { return handler(*app, request); }});
  };
  add("GET", "/config", true, config);
  // Gradio 5 and 6 have a prefix, Gradio 4 has none.
  for (const std::string root : {"", "/gradio_api"}) {
    for (const char* path : {"/api/predict", "/api/predict/", "/run/predict"}) add("POST", root + path, false, predict);
    add("POST", root + "/call/predict", false, [](App& a, HttpRequest& http) { return join(a, http, false); });
    add("GET", root + "/call/predict/*", false, read_call);
    add("POST", root + "/queue/join", false, [](App& a, HttpRequest& http) { return join(a, http, true); });
    add("GET", root + "/queue/data", false, read_queue);
    add("POST", root + "/cancel", false, cancel);
    add("POST", root + "/reset", false, cancel);
    add("GET", root + "/heartbeat/*", false,
        [](App&, HttpRequest&) -> HandlerResult { return std::make_unique<Heartbeat>(); });
    add("GET", root + "/info", true,
        [](App& a, HttpRequest&) -> HandlerResult { return json_response(dump_json(gradio_info(a.models))); });
    add("GET", root + "/app_id", true, [](App& a, HttpRequest&) -> HandlerResult {
      return json_response(dump_json({{"app_id", a.id}}));
    });
    add("POST", root + "/upload", false, upload);
    routes.back().body = BodyType::kMultipart;
    const std::string file_root = root + "/file=";
    routes.push_back({"GET", file_root + "*", true, [app, file_root](HttpRequest& request) {
                        return file(*app, request.path.substr(file_root.size()));
                      }});
  }
  return routes;
}

}  // namespace qvl
