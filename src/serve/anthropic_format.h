// The JSON of Anthropic's /v1/messages' answers, whole and streamed.
#pragma once

#include <string>

#include "base/json.h"
#include "serve/answer_exchange.h"

namespace qvl {

// Whole: {"type": "message", ...}. Streamed: message_start, ping, then per block content_block_start,
// content_block_delta, content_block_stop, at last message_delta and message_stop; or error.
class AnthropicFormat final : public AnswerFormat {
 public:
  AnthropicFormat(std::string model, int64_t prompt_tokens);

  std::string id() const override { return id_; }
  std::string first() override;
  std::string delta(size_t index, const ChatDelta& delta, const Progress& progress) override;
  std::string finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) override;
  std::string last(const AnswerOutcome& total) override;
  std::string error(const Error& error) override;
  Json whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
             const AnswerOutcome& total) override;
  ErrorStyle error_style() const override { return ErrorStyle::kAnthropic; }

 private:
  enum class Block { kNone, kThinking, kText, kToolUse };
  Json head() const;
  // Ends the open block and begins another, unless it is open and of a kind that goes on.
  std::string open(Block kind, Json content_block);
  std::string close();
  std::string block_delta(Json delta) const;

  std::string id_, model_;
  int64_t prompt_tokens_;
  Block block_ = Block::kNone;
  int index_ = -1;  // of the last block
};

}  // namespace qvl
