#include "serve/answer_set.h"

#include <algorithm>

namespace qvl {

AnswerSet::AnswerSet(std::vector<std::unique_ptr<DeltaStream>> streams, size_t prompts)
    : streams_(std::move(streams)),
      over_(streams_.size(), false),
      per_prompt_(streams_.size() / prompts),
      open_(streams_.size()) {}

void AnswerSet::set_waker(const std::function<void()>& waker) {
  for (const auto& stream : streams_) stream->set_waker(waker);
}

void AnswerSet::cancel() {
  for (const auto& stream : streams_) stream->cancel();
}

void AnswerSet::end_thinking() {
  for (const auto& stream : streams_) stream->end_thinking();
}

std::optional<AnswerSet::Item> AnswerSet::try_next() {
  for (size_t tried = 0; tried < streams_.size(); ++tried) {
    const size_t index = turn_;
    turn_ = (turn_ + 1) % streams_.size();
    if (over_[index]) continue;
    auto item = streams_[index]->try_next();
    if (!item) continue;
    if (item->outcome) {
      over_[index] = true;
      --open_;
      add_outcome(index, *item->outcome);
    }
    return Item{index, std::move(*item), streams_[index]->completion_tokens()};
  }
  return std::nullopt;
}

AnswerReport AnswerSet::report() const {
  AnswerReport report = report_of(total_, streams_.front()->metrics());
  for (size_t i = 0; i < streams_.size(); ++i) {
    if (over_[i]) continue;
    report.finish = "abandoned";
    report.completion_tokens += streams_[i]->completion_tokens();
    if (i % per_prompt_ == 0) report.prompt_tokens += prompt(i).tokens;
  }
  return report;
}

AnswerReport report_of(const AnswerOutcome& outcome, const ModelMetrics* metrics) {
  static constexpr const char* kEnds[] = {"stop", "length", "tool_calls", "cancelled", "error"};
  const RequestStats& stats = outcome.stats;
  return {.model = metrics ? metrics->model : "",
          .finish = kEnds[static_cast<size_t>(outcome.end)],
          .prompt_tokens = outcome.prompt.tokens,
          .completion_tokens = stats.completion_tokens,
          .vision_tokens = outcome.prompt.image_tokens + outcome.prompt.video_tokens,
          .cached_tokens = stats.cached_tokens,
          .queue_ms = stats.queue_ms,
          .vision_ms = stats.vision_ms,
          .prefill_ms = stats.prefill_ms,
          .decode_ms = stats.decode_ms,
          .ttft_ms = stats.ttft_ms};
}

void AnswerSet::add_outcome(size_t index, const AnswerOutcome& one) {
  RequestStats& all = total_.stats;
  if (one.end != AnswerEnd::kStop) total_.end = one.end;
  if (index % per_prompt_ == 0) {
    total_.prompt.tokens += one.prompt.tokens;
    total_.prompt.image_tokens += one.prompt.image_tokens;
    total_.prompt.video_tokens += one.prompt.video_tokens;
    all.prompt_tokens += one.stats.prompt_tokens;
    all.cached_tokens += one.stats.cached_tokens;
    all.vision_tokens += one.stats.vision_tokens;
    all.images_cached += one.stats.images_cached;
    all.vision_ms += one.stats.vision_ms;
    all.vision_saved_ms += one.stats.vision_saved_ms;
    total_.dropped_messages = one.dropped_messages;
  }
  total_.reasoning_tokens += one.reasoning_tokens;
  all.completion_tokens += one.stats.completion_tokens;
  all.guessed_tokens += one.stats.guessed_tokens;
  all.accepted_tokens += one.stats.accepted_tokens;
  all.queue_ms = std::max(all.queue_ms, one.stats.queue_ms);
  all.prefill_ms = std::max(all.prefill_ms, one.stats.prefill_ms);
  all.decode_ms = std::max(all.decode_ms, one.stats.decode_ms);
  all.ttft_ms = std::max(all.ttft_ms, one.stats.ttft_ms);
}

}  // namespace qvl
