// The answers to one request, taken as they come, and what the end of each says together. One thread at a time;
// cancel() and end_thinking() from any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "chat/delta_stream.h"
#include "serve/http_types.h"

namespace qvl {

AnswerReport report_of(const AnswerOutcome& outcome, const ModelMetrics* metrics);

class AnswerSet {
 public:
  struct Item {
    size_t index;  // of the answer
    DeltaStream::Item item;
    int64_t completion_tokens;  // of this answer so far
  };

  // prompts: how many different prompts the answers share evenly, in order.
  explicit AnswerSet(std::vector<std::unique_ptr<DeltaStream>> streams, size_t prompts = 1);

  size_t size() const { return streams_.size(); }
  void set_waker(const std::function<void()>& waker);
  void cancel();
  void end_thinking();
  // In turn among the answers; nullopt: nothing yet, or all are over.
  std::optional<Item> try_next();
  bool over() const { return open_ == 0; }
  const PromptCounts& prompt(size_t index) const { return streams_[index]->prompt(); }
  // Of all answers that are over: each prompt's tokens once, the answers' summed; times of the slowest.
  const AnswerOutcome& total() const { return total_; }
  AnswerReport report() const;  // of what was done so far, the answers that are not over as well

 private:
  void add_outcome(size_t index, const AnswerOutcome& outcome);

  std::vector<std::unique_ptr<DeltaStream>> streams_;
  std::vector<bool> over_;
  size_t per_prompt_, open_, turn_ = 0;
  AnswerOutcome total_;
};

}  // namespace qvl
