// The engine's tokens of one request as deltas of an answer. Used from one thread at a time; cancel() and
// end_thinking() from any.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "chat/answer_parser.h"
#include "chat/model_metrics.h"
#include "engine/engine.h"

namespace qvl {

enum class AnswerEnd { kStop, kLength, kToolCalls, kCancelled, kError };

// What a prompt is made of.
struct PromptCounts {
  int64_t tokens = 0;  // all
  int64_t image_tokens = 0, video_tokens = 0;
  int64_t visuals = 0;  // pictures and videos
};

struct AnswerOutcome {
  AnswerEnd end = AnswerEnd::kStop;
  PromptCounts prompt;
  std::optional<Error> error;  // kError
  std::string stop_text;       // the stop string that ended it, if one did
  RequestStats stats;
  int64_t reasoning_tokens = 0;
  int64_t dropped_messages = 0;  // of the conversation, for lack of room
};

class DeltaStream {
 public:
  struct Item {
    ChatDelta delta;                       // may be empty in the last item
    std::optional<AnswerOutcome> outcome;  // set in the last item
  };

  // metrics, where given, get the tokens' times and the end.
  DeltaStream(std::unique_ptr<TokenStream> tokens, const Tokenizer& tokenizer, AnswerOptions options,
              PromptCounts prompt = {}, std::shared_ptr<ModelMetrics> metrics = nullptr);
  ~DeltaStream();
  DeltaStream(const DeltaStream&) = delete;
  DeltaStream& operator=(const DeltaStream&) = delete;

  // Never an empty delta but in the last item. After the last item neither must be called again.
  std::optional<Item> try_next();  // nullopt: nothing yet
  Item next();                     // waits
  void set_waker(std::function<void()> waker) { tokens_->set_waker(std::move(waker)); }
  void cancel() { tokens_->cancel(); }
  void end_thinking() { tokens_->end_thinking(); }  // from any thread, as cancel()

  const PromptCounts& prompt() const { return prompt_; }
  const ModelMetrics* metrics() const { return metrics_.get(); }
  int64_t completion_tokens() const { return completion_tokens_; }  // taken so far
  int64_t reasoning_tokens() const { return parser_.reasoning_tokens(); }

 private:
  using Clock = std::chrono::steady_clock;
  void note_token();
  std::optional<Item> take(TokenStream::Item item);
  Item last(const TokenStream::Item& item);

  const int64_t dropped_messages_;
  std::unique_ptr<TokenStream> tokens_;
  AnswerParser parser_;
  PromptCounts prompt_;
  int64_t completion_tokens_ = 0;
  std::shared_ptr<ModelMetrics> metrics_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_token_;
  bool over_ = false;
};

}  // namespace qvl
