#include "chat/delta_stream.h"

namespace qvl {

DeltaStream::DeltaStream(std::unique_ptr<TokenStream> tokens, const Tokenizer& tokenizer, AnswerOptions options,
                         PromptCounts prompt, std::shared_ptr<ModelMetrics> metrics)
    : dropped_messages_(options.dropped_messages),
      tokens_(std::move(tokens)),
      parser_(tokenizer, std::move(options)),
      prompt_(prompt),
      metrics_(std::move(metrics)) {}

DeltaStream::~DeltaStream() {
  if (over_ || !metrics_) return;
  AnswerOutcome outcome;
  outcome.prompt = prompt_;
  outcome.stats.completion_tokens = completion_tokens_;
  metrics_->abandoned(outcome);
}

void DeltaStream::note_token() {
  if (!metrics_) return;
  const auto now = Clock::now();
  if (completion_tokens_ > 0) metrics_->token_gap.observe(std::chrono::duration<double>(now - last_token_).count());
  last_token_ = now;
}

std::optional<DeltaStream::Item> DeltaStream::try_next() {
  while (auto token = tokens_->try_next()) {
    if (auto item = take(std::move(*token))) return item;
  }
  return std::nullopt;
}

DeltaStream::Item DeltaStream::next() {
  while (true) {
    if (auto item = take(tokens_->next())) return std::move(*item);
  }
}

std::optional<DeltaStream::Item> DeltaStream::take(TokenStream::Item item) {
  if (item.kind == TokenStream::Item::Kind::kDone) return last(item);
  if (parser_.stopped()) return std::nullopt;  // the engine has not seen the cancel yet
  note_token();
  ++completion_tokens_;
  Item out;
  parser_.push(item.token, out.delta);
  if (parser_.stopped()) tokens_->cancel();
  if (out.delta.empty()) return std::nullopt;
  return out;
}

DeltaStream::Item DeltaStream::last(const TokenStream::Item& item) {
  Item out;
  parser_.finish(out.delta);
  AnswerOutcome outcome;
  outcome.prompt = prompt_;
  outcome.stats = item.stats;
  outcome.dropped_messages = dropped_messages_;
  outcome.reasoning_tokens = parser_.reasoning_tokens();
  switch (item.finish) {
    case FinishReason::kStop:
      outcome.end = AnswerEnd::kStop;
      break;
    case FinishReason::kLength:
      outcome.end = AnswerEnd::kLength;
      break;
    case FinishReason::kCancelled:
      outcome.end = AnswerEnd::kCancelled;
      break;
    case FinishReason::kError:
      outcome.end = AnswerEnd::kError;
      break;
  }
  if (outcome.end == AnswerEnd::kError) {
    outcome.error.emplace(item.error_kind, item.error_code, item.error_message);
  } else if (parser_.stopped()) {
    outcome.end = AnswerEnd::kStop;
    outcome.stop_text = parser_.stop_text();
  }
  if (outcome.end == AnswerEnd::kStop && parser_.tool_calls() > 0) outcome.end = AnswerEnd::kToolCalls;
  over_ = true;
  if (metrics_) metrics_->ended(outcome, std::chrono::duration<double>(Clock::now() - begin_).count());
  out.outcome = std::move(outcome);
  return out;
}

}  // namespace qvl
