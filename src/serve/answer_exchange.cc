#include "serve/answer_exchange.h"

#include <optional>

namespace qvl {
namespace {

std::optional<Error> failure(const AnswerOutcome& outcome) {
  if (outcome.error) return *outcome.error;
  if (outcome.end == AnswerEnd::kCancelled) {
    return Error(ErrorKind::kOverloaded, "cancelled", "the answer was cancelled by the server");
  }
  return std::nullopt;
}

// What both kinds share: the answers, and the word from above that they must end.
class AnswerExchange : public Exchange {
 public:
  explicit AnswerExchange(AnswerJob job)
      : answers_(std::move(job.answers)), format_(std::move(job.format)), entry_(make_entry(std::move(job.steered))) {}

  void set_waker(std::function<void()> waker) override { answers_->set_waker(waker); }

  std::optional<AnswerReport> report() const override { return answers_->report(); }

  void stop(const Error& why) override {
    stopped_.emplace(why);
    answers_->cancel();
  }

 protected:
  AnswerSet& answers() { return *answers_; }
  AnswerFormat& format() { return *format_; }
  const std::optional<Error>& stopped() const { return stopped_; }
  // One answer fails, all fail.
  void fail(const Error& why) { stop(why); }

 private:
  std::unique_ptr<RunningAnswers::Entry> make_entry(std::shared_ptr<RunningAnswers> steered) {
    if (!steered) return nullptr;
    return std::make_unique<RunningAnswers::Entry>(std::move(steered), format_->id(), *answers_);
  }

  std::unique_ptr<AnswerSet> answers_;
  std::unique_ptr<AnswerFormat> format_;
  std::unique_ptr<RunningAnswers::Entry> entry_;  // goes before the answers
  std::optional<Error> stopped_;
};

// One object at the end.
class WholeAnswers final : public AnswerExchange {
 public:
  explicit WholeAnswers(AnswerJob job)
      : AnswerExchange(std::move(job)), deltas_(answers().size()), outcomes_(answers().size()) {}

  Poll poll() override {
    while (!stopped()) {
      auto next = answers().try_next();
      if (!next) return {};
      append(deltas_[next->index], std::move(next->item.delta));
      if (!next->item.outcome) continue;
      if (const auto error = failure(*next->item.outcome)) fail(*error);
      outcomes_[next->index] = std::move(*next->item.outcome);
      if (answers().over() && !stopped()) {
        const Json json = format().whole(deltas_, outcomes_, answers().total());
        return {Poll::Kind::kResponse, {}, json_response(dump_json(json))};
      }
    }
    return {Poll::Kind::kResponse, {}, error_response(*stopped(), format().error_style())};
  }

 private:
  std::vector<ChatDelta> deltas_;
  std::vector<AnswerOutcome> outcomes_;
};

// Events as the tokens come.
class StreamedAnswers final : public AnswerExchange {
 public:
  explicit StreamedAnswers(AnswerJob job) : AnswerExchange(std::move(job)) {}

  Poll poll() override {
    if (!begun_) {
      begun_ = true;
      return {Poll::Kind::kChunk, format().first(), {}};
    }
    while (!stopped()) {
      auto next = answers().try_next();
      if (!next) return {};
      Poll poll = write(*next);
      if (poll.kind == Poll::Kind::kEnd || !poll.bytes.empty()) return poll;
    }
    return error_event({});
  }

 private:
  Poll write(const AnswerSet::Item& next) {
    const AnswerFormat::Progress progress{answers().prompt(next.index).tokens, next.completion_tokens};
    std::string events = format().delta(next.index, next.item.delta, progress);
    if (!next.item.outcome) return {Poll::Kind::kChunk, std::move(events), {}};
    if (const auto error = failure(*next.item.outcome)) {
      fail(*error);
      return error_event(std::move(events));
    }
    events += format().finish(next.index, *next.item.outcome, progress);
    if (!answers().over()) return {Poll::Kind::kChunk, std::move(events), {}};
    return {Poll::Kind::kEnd, events + format().last(answers().total()), {}};
  }

  Poll error_event(std::string before) {
    return {Poll::Kind::kEnd, before + format().error(*stopped()), {}};
  }

  bool begun_ = false;
};

}  // namespace

std::string AnswerFormat::error(const Error& error) { return "data: " + error_json(error) + "\n\n"; }

std::unique_ptr<Exchange> make_answer_exchange(AnswerJob job) {
  if (job.stream) return std::make_unique<StreamedAnswers>(std::move(job));
  return std::make_unique<WholeAnswers>(std::move(job));
}

}  // namespace qvl
