#include "chat/model_metrics.h"

#include "chat/delta_stream.h"

namespace qvl {
namespace {

ModelMetrics::End end_of(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kStop:
    case AnswerEnd::kToolCalls:
      return ModelMetrics::End::kStop;
    case AnswerEnd::kLength:
      return ModelMetrics::End::kLength;
    case AnswerEnd::kCancelled:
      return ModelMetrics::End::kAbort;
    case AnswerEnd::kError:
      break;
  }
  return ModelMetrics::End::kError;
}

}  // namespace

void ModelMetrics::count_tokens(const AnswerOutcome& outcome) {
  const RequestStats& stats = outcome.stats;
  prompt_tokens.add(outcome.prompt.tokens);
  cached_tokens.add(stats.cached_tokens);
  generation_tokens.add(stats.completion_tokens);
  image_tokens.add(outcome.prompt.image_tokens + outcome.prompt.video_tokens);
  guessed_tokens.add(stats.guessed_tokens);
  accepted_tokens.add(stats.accepted_tokens);
}

void ModelMetrics::ended(const AnswerOutcome& outcome, double seconds) {
  const RequestStats& stats = outcome.stats;
  const End end = end_of(outcome.end);
  ends[static_cast<size_t>(end)].add();
  count_tokens(outcome);
  if (end == End::kError || end == End::kAbort) return;  // times of work that was cut short say nothing
  if (outcome.prompt.visuals > stats.images_cached) vision.observe(stats.vision_ms / 1e3);
  ttft.observe(stats.ttft_ms / 1e3);
  latency.observe(seconds);
  queue.observe(stats.queue_ms / 1e3);
  prefill.observe(stats.prefill_ms / 1e3);
  decode.observe(stats.decode_ms / 1e3);
  request_prompt_tokens.observe(static_cast<double>(outcome.prompt.tokens));
  request_generation_tokens.observe(static_cast<double>(stats.completion_tokens));
}

void ModelMetrics::abandoned(const AnswerOutcome& outcome) {
  ends[static_cast<size_t>(End::kAbort)].add();
  count_tokens(outcome);
}

}  // namespace qvl
