#include "serve/upstream_answer.h"

namespace qvl {
namespace {

constexpr size_t kMaxWholeBytes = size_t{16} << 20, kMaxHeldBytes = 64 * 1024;
constexpr int kMaxTries = 4;
// So long the opening events of a stream are held back, for a try elsewhere to be possible.
constexpr std::chrono::seconds kHold{10};

Error failure_error(const HttpCall::Poll& failure) {
  if (failure.timed_out) {
    return {ErrorKind::kGatewayTimeout, "upstream_timeout", "the engine behind this server did not answer in time"};
  }
  return {ErrorKind::kBadGateway, "upstream_failed",
          failure.stage == HttpCall::Stage::kConnect ? "the engine behind this server cannot be reached"
          : failure.stage == HttpCall::Stage::kHead  ? "the engine behind this server closed the connection"
                                                     : "the engine behind this server broke off its answer"};
}

ErrorStyle error_style(AnswerForm form) {
  return form == AnswerForm::kMessages ? ErrorStyle::kAnthropic : ErrorStyle::kOpenAi;
}

bool starts_with_type(std::string_view value, std::string_view type) { return value.substr(0, type.size()) == type; }

}  // namespace

UpstreamAnswer::UpstreamAnswer(UpstreamPool& pool, UpstreamQuestion question)
    : pool_(pool), question_(std::move(question)), relay_(question_.form) {
  if (!try_next()) throw pool_.nobody_serves(question_.model);
}

void UpstreamAnswer::set_waker(std::function<void()> waker) {
  waker_ = std::move(waker);
  if (call_) call_->set_waker(waker_);
}

void UpstreamAnswer::stop(const Error& why) {
  if (!ended_) end_with(why);
}

// False where there is nobody else to ask.
bool UpstreamAnswer::try_next() {
  if (tried_.size() == kMaxTries) return false;
  auto lease = pool_.choose(question_.model, tried_);
  if (!lease) return false;
  lease_ = std::move(lease);
  tried_.push_back(lease_->index());
  call_ = pool_.post(*lease_, question_.path, question_.body, question_.request_id);
  if (waker_) call_->set_waker(waker_);
  status_ = 0;
  headers_.clear();
  streaming_ = false;
  splitter_ = {};
  out_.clear();
  whole_.clear();
  return true;
}

Exchange::Poll UpstreamAnswer::poll() {
  using Kind = HttpCall::Poll::Kind;
  while (call_ && out_.size() < kMaxHeldBytes) {
    HttpCall::Poll news = call_->poll();
    if (news.kind == Kind::kPending) break;
    try {
      if (news.kind == Kind::kHead) on_head(news);
      if (news.kind == Kind::kBytes) on_bytes(news.bytes);
      if (news.kind == Kind::kEnd) on_end();
      if (news.kind == Kind::kFailed) on_failure(news);
    } catch (const Error& error) {
      end_with(error);
    }
    if (shown_ && !out_.empty()) break;
  }
  if (response_ && !shown_) return {Poll::Kind::kResponse, {}, std::move(*response_)};
  if (ended_) return {Poll::Kind::kEnd, std::exchange(out_, {}), {}};
  const bool waited = streaming_ && Clock::now() - head_at_ > kHold;
  if (streaming_ && (relay_.has_token() || waited || out_.size() >= kMaxHeldBytes)) shown_ = true;
  if (!shown_ || out_.empty()) return {};
  return {Poll::Kind::kChunk, std::exchange(out_, {}), {}};
}

void UpstreamAnswer::on_head(HttpCall::Poll& head) {
  const bool busy = head.status == 502 || head.status == 503;
  if (busy && try_next()) return;
  status_ = head.status;
  if (head.status >= 300 && head.status < 400) {
    throw Error(ErrorKind::kBadGateway, "upstream_failed", "the engine behind this server sends requests elsewhere");
  }
  const std::string_view coding = head.header("Content-Encoding");
  if (!coding.empty() && coding != "identity") {
    throw Error(ErrorKind::kBadGateway, "upstream_failed", "the engine behind this server compresses its answers");
  }
  if (const auto wait = head.header("Retry-After"); !wait.empty() && wait.size() < 40) headers_.emplace_back("Retry-After", wait);
  streaming_ = head.status == 200 && starts_with_type(head.header("Content-Type"), "text/event-stream");
  head_at_ = Clock::now();
}

void UpstreamAnswer::on_bytes(const std::string& bytes) {
  if (streaming_) {
    splitter_.push(bytes);
    relay_events();
    return;
  }
  whole_ += bytes;
  if (whole_.size() > kMaxWholeBytes) {
    throw Error(ErrorKind::kBadGateway, "upstream_failed",
                fmt::format("the answer of the engine behind this server is longer than {} bytes", kMaxWholeBytes));
  }
}

void UpstreamAnswer::relay_events() {
  while (auto event = splitter_.next()) {
    out_ += relay_.relay(std::move(*event));
    if (!relay_.done()) continue;
    shown_ = ended_ = true;
    call_.reset();
    lease_.reset();
    return;
  }
}

void UpstreamAnswer::on_end() {
  if (streaming_) {
    if (!relay_.has_token() && try_next()) return;  // it broke off, politely
    out_ += relay_.finish();
    shown_ = true;
  } else {
    response_ = whole_response();
  }
  ended_ = true;
  call_.reset();
  lease_.reset();
}

void UpstreamAnswer::on_failure(const HttpCall::Poll& failure) {
  if (failure.stage == HttpCall::Stage::kConnect) pool_.report_unreachable(lease_->index(), failure.reason);
  const bool retry = !shown_ && !relay_.has_token();
  if (retry && try_next()) return;
  throw failure_error(failure);
}

// Before anything was shown: as the response; else as the last event.
void UpstreamAnswer::end_with(const Error& error) {
  if (streaming_ && (shown_ || relay_.has_token())) {
    out_ += error_event(question_.form, error);
    shown_ = true;
  } else {
    response_ = error_response(error, error_style(question_.form));
  }
  ended_ = true;
  call_.reset();
  lease_.reset();
}

HttpResponse UpstreamAnswer::whole_response() {
  if (status_ == 401 || status_ == 403) {
    // Not the client's key, which this server has checked, but its own.
    return error_response({ErrorKind::kBadGateway, "upstream_unauthorized",
                           "the engine behind this server refuses this server's key: see --upstream-api-key"},
                          error_style(question_.form));
  }
  HttpResponse response;
  response.status = status_;
  response.headers = headers_;
  if (status_ >= 400) {
    response.body = upstream_error_json(status_, whole_);
    return response;
  }
  Json json = parse_json(whole_, "the engine's answer", ErrorKind::kBadGateway, "upstream_failed");
  bool changed = false;
  if (question_.form == AnswerForm::kChat && json.is_object() && json.contains("choices") && json["choices"].is_array()) {
    for (Json& choice : json["choices"]) {
      if (choice.is_object() && choice.contains("message")) changed |= name_reasoning_twice(choice["message"]);
    }
  }
  response.body = changed ? dump_json(json) : std::move(whole_);
  return response;
}

}  // namespace qvl
