// Answers of the engine as one HTTP answer, whole or as events; how they are written is a format's part.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "serve/answer_set.h"
#include "serve/http_types.h"
#include "serve/running_answers.h"

namespace qvl {

// Writes one answer. Called from one thread at a time.
class AnswerFormat {
 public:
  // Counts as far as they are known while an answer still runs.
  struct Progress {
    int64_t prompt_tokens = 0, completion_tokens = 0;
  };

  virtual ~AnswerFormat() = default;
  virtual std::string id() const = 0;
  // Events of a stream, each "data: {...}\n\n".
  virtual std::string first() = 0;
  virtual std::string delta(size_t index, const ChatDelta& delta, const Progress& progress) = 0;
  virtual std::string finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) = 0;
  virtual std::string last(const AnswerOutcome& total) = 0;
  virtual std::string error(const Error& error);  // instead of finish() and last()
  // The whole answer: deltas[i] and outcomes[i] are answer i's.
  virtual Json whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
                     const AnswerOutcome& total) = 0;
  virtual ErrorStyle error_style() const { return ErrorStyle::kOpenAi; }
};

struct AnswerJob {
  std::unique_ptr<AnswerSet> answers;
  std::unique_ptr<AnswerFormat> format;
  bool stream = false;
  std::shared_ptr<RunningAnswers> steered;  // where the client may steer it
};
std::unique_ptr<Exchange> make_answer_exchange(AnswerJob job);

}  // namespace qvl
