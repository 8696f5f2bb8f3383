// The JSON of /v1/chat/completions' answers, whole and streamed (conventions 1.1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer_exchange.h"

namespace qvl {

// What stands at the head of every piece of one answer.
struct AnswerHead {
  std::string id;  // "chatcmpl-..."
  std::string model;
  std::string fingerprint;
  int64_t created = 0;  // seconds since 1970
};
AnswerHead make_answer_head(const std::string& model, const std::string& version,
                            std::string_view id_prefix = "chatcmpl-");
int64_t unix_seconds();

// -9999 is OpenAI's stand-in for minus infinity, which JSON has not.
float json_logprob(float logprob);
const char* finish_reason(AnswerEnd end);
Json usage_json(const AnswerOutcome& outcome);
Json timings_json(const RequestStats& stats);
Json logprobs_json(const std::vector<LogprobEntry>& entries);

// "data: {...}\n\n"
std::string sse_event(const Json& json);
std::string sse_event(std::string_view name, const Json& json);  // with "event: NAME" before it

// Which counts the events of a stream carry (stream_options).
struct StreamUsage {
  bool include_usage = false;     // in an event of its own at the end; null before
  bool continuous_usage = false;  // as far as known in every event
  void add(Json& chunk, const AnswerFormat::Progress& progress) const;
  // The last events, [DONE] included. head: what every event begins with.
  std::string end(Json head, const AnswerOutcome& total) const;
};

struct ChatFormatOptions {
  bool logprobs = false;
  StreamUsage usage;
  bool reasoning = true;  // false: the reasoning is left out
};

class ChatFormat final : public AnswerFormat {
 public:
  ChatFormat(AnswerHead head, size_t answers, ChatFormatOptions options)
      : head_(std::move(head)), options_(options), calls_(answers, -1) {}

  std::string id() const override { return head_.id; }
  std::string first() override;  // the roles
  std::string delta(size_t index, const ChatDelta& delta,
                    const Progress& progress) override;  // an event for each kind of text
  std::string finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) override;
  std::string last(const AnswerOutcome& total) override;  // usage where asked for, [DONE]
  Json whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
             const AnswerOutcome& total) override;

 private:
  Json head(const char* object) const;
  Json chunk(size_t index, Json delta, Json logprobs, Json finish, const Progress& progress) const;
  Json choice(size_t index, const ChatDelta& all, const AnswerOutcome& outcome) const;

  AnswerHead head_;
  ChatFormatOptions options_;
  std::vector<int> calls_;  // of each answer, the tool call that arguments belong to
};

}  // namespace qvl
