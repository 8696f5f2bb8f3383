#include "serve/gradio_stream.h"

#include "base/json.h"
#include "serve/answer_set.h"
#include "serve/chat_format.h"

namespace qvl {
namespace {

Json queue_message(const char* msg, const std::string& event_id) { return {{"msg", msg}, {"event_id", event_id}}; }

Json output(Json data, bool generating, double seconds, double average) {
  return {{"data", std::move(data)},     {"is_generating", generating}, {"duration", seconds},
          {"average_duration", average}, {"render_config", nullptr},    {"changed_state_ids", Json::array()}};
}

double seconds_since(GradioQueue::Clock::time_point begin) {
  return std::chrono::duration<double>(GradioQueue::Clock::now() - begin).count();
}

}  // namespace

GradioStream::~GradioStream() {
  bell_->attach({});
  events_.clear();
  if (!left_) queue_->leave(session_, true);
}

Exchange::Poll GradioStream::poll() {
  std::string out;
  if (stopped_) {
    for (const auto& event : events_) out += failed(*event, *stopped_);
    return {Poll::Kind::kEnd, std::move(out), {}};
  }
  std::vector<std::unique_ptr<Event>> arrived;
  std::set<std::string> cancelled;
  queue_->take(session_, arrived, cancelled);
  for (auto& event : arrived) events_.push_back(std::move(event));
  std::erase_if(events_, [&](const std::unique_ptr<Event>& event) {
    if (!advance(*event, cancelled.contains(event->id), out)) return false;
    queue_->finished(session_, event->id);
    return true;
  });
  if (events_.empty() && queue_->leave(session_, false)) {
    left_ = true;
    if (style_ == GradioQueue::Style::kQueue) out += sse_event({{"msg", "close_stream"}});
    return {Poll::Kind::kEnd, std::move(out), {}};
  }
  if (out.empty()) return {};
  return {Poll::Kind::kChunk, std::move(out), {}};
}

bool GradioStream::advance(Event& event, bool cancelled, std::string& out) {
  if (!event.announced) out += announce(event);
  event.announced = true;
  if (event.error) {
    out += failed(event, *event.error);
    return true;
  }
  if (cancelled) {
    out += completed(event);
    return true;  // the stream goes with the event, and the work with it
  }
  while (auto item = event.stream->try_next()) {
    event.answer += item->delta.content;
    if (!item->outcome) continue;
    report_ = report_of(*item->outcome, event.stream->metrics());
    return end(event, *item->outcome, out);
  }
  out += generating(event);
  return false;
}

bool GradioStream::end(Event& event, const AnswerOutcome& outcome, std::string& out) {
  if (outcome.error) {
    out += failed(event, *outcome.error);
  } else if (outcome.end == AnswerEnd::kCancelled) {
    out += failed(event, {ErrorKind::kOverloaded, "cancelled", "the answer was cancelled by the server"});
  } else {
    out += completed(event);
  }
  return true;
}

std::string GradioStream::announce(const Event& event) const {
  if (style_ == GradioQueue::Style::kCall) return {};
  Json estimation = queue_message("estimation", event.id);
  estimation.update({{"rank", 0}, {"queue_size", 1}, {"rank_eta", nullptr}});
  Json starts = queue_message("process_starts", event.id);
  starts["eta"] = nullptr;
  return sse_event(estimation) + sse_event(starts);
}

std::string GradioStream::generating(Event& event) const {
  // Whole answers again and again: the longer the answer, the more must be new, or long ones would cost their square.
  const size_t fresh = event.answer.size() - event.told;
  const bool whole = style_ == GradioQueue::Style::kCall || event.told == 0;
  if (fresh == 0 || (whole && fresh < event.told / 32)) return {};
  Json data = whole ? Json(event.answer)
                    : Json::array({Json::array({"append", Json::array(), event.answer.substr(event.told)})});
  event.told = event.answer.size();
  data = Json::array({std::move(data)});
  if (style_ == GradioQueue::Style::kCall) return sse_event("generating", data);
  Json message = queue_message("process_generating", event.id);
  message["output"] = output(std::move(data), true, seconds_since(event.begin), 0);
  message["success"] = true;
  return sse_event(message);
}

std::string GradioStream::completed(const Event& event) const {
  const double seconds = seconds_since(event.begin);
  const double average = queue_->durations_->add(seconds);
  if (style_ == GradioQueue::Style::kCall) return sse_event("complete", Json::array({event.answer}));
  Json message = queue_message("process_completed", event.id);
  message["output"] = output(Json::array({event.answer}), false, seconds, average);
  message["success"] = true;
  return sse_event(message);
}

std::string GradioStream::failed(const Event& event, const Error& error) const {
  if (style_ == GradioQueue::Style::kCall) return sse_event("error", Json(error.what()));
  Json message = queue_message("process_completed", event.id);
  message["output"] = {{"error", error.what()}, {"title", "Error"}, {"code", error.code}};
  message["success"] = false;
  return sse_event(message);
}

}  // namespace qvl
