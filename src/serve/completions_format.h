// The JSON of /v1/completions' answers, whole and streamed.
#pragma once

#include <string>
#include <vector>

#include "serve/chat_format.h"

namespace qvl {

struct CompletionsFormatOptions {
  bool logprobs = false;
  StreamUsage usage;
  std::vector<std::string> echo;  // of each answer, the text before it
};

class CompletionsFormat final : public AnswerFormat {
 public:
  CompletionsFormat(AnswerHead head, CompletionsFormatOptions options)
      : head_(std::move(head)), options_(std::move(options)), offsets_(options_.echo.size(), 0) {}

  std::string id() const override { return head_.id; }
  std::string first() override;  // what is echoed
  std::string delta(size_t index, const ChatDelta& delta, const Progress& progress) override;
  std::string finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) override;
  std::string last(const AnswerOutcome& total) override;
  Json whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
             const AnswerOutcome& total) override;

 private:
  Json head() const;
  std::string chunk(size_t index, const std::string& text, Json logprobs, Json finish, const Progress& progress) const;
  Json logprobs(size_t index, const std::vector<LogprobEntry>& entries);

  AnswerHead head_;
  CompletionsFormatOptions options_;
  std::vector<size_t> offsets_;  // of each answer, characters of the tokens so far
};

}  // namespace qvl
