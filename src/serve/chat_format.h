// The JSON of /v1/chat/completions' answers, whole and streamed (conventions 1.1). Pure functions but for the clock and
// ids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/delta_stream.h"

namespace qvl {

// What stands at the head of every piece of one answer.
struct AnswerHead {
  std::string id;  // "chatcmpl-..."
  std::string model;
  std::string fingerprint;
  int64_t created = 0;  // seconds since 1970
};
AnswerHead make_answer_head(const std::string& model, const std::string& version);
int64_t unix_seconds();

const char* finish_reason(AnswerEnd end);
Json usage_json(const AnswerOutcome& outcome);
Json timings_json(const RequestStats& stats);
Json logprobs_json(const std::vector<LogprobEntry>& entries);

// The whole answer. all: every delta joined.
Json completion_json(const AnswerHead& head, const ChatDelta& all, const AnswerOutcome& outcome, bool logprobs);

// "data: {...}\n\n"
std::string sse_event(const Json& json);
// Events of a stream.
class ChunkWriter {
 public:
  ChunkWriter(AnswerHead head, bool include_usage) : head_(std::move(head)), include_usage_(include_usage) {}
  std::string first() const;                             // the role
  std::string delta(const ChatDelta& delta);             // one event for each kind of text in it
  std::string last(const AnswerOutcome& outcome) const;  // finish reason, usage where asked for, [DONE]

 private:
  Json chunk(Json delta, Json logprobs, Json finish) const;

  AnswerHead head_;
  bool include_usage_;
  int tool_calls_ = 0;
};

}  // namespace qvl
