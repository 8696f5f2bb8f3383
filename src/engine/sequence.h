// One request inside the engine: what is computed, what it holds, when it ends. No JSON, no text. The engine's thread only,
// but for StreamState, which is the crossing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "engine/engine.h"
#include "engine/prompt_lookup.h"
#include "engine/sampler.h"
#include "engine/speculation.h"
#include "model/vision_tower.h"

namespace qvl {

using Clock = std::chrono::steady_clock;
inline double ms_between(Clock::time_point a, Clock::time_point b) {
  return std::chrono::duration<double, std::milli>(b - a).count();
}

// Shared by the engine's thread, which pushes, and the stream's owner, who takes.
class StreamState {
 public:
  void push(TokenStream::Item item);
  std::optional<TokenStream::Item> try_next();
  TokenStream::Item next();
  // Once it returns, the waker set before neither runs nor will.
  void set_waker(std::function<void()> waker);

  std::atomic<bool> cancelled{false};
  std::atomic<bool> end_thinking{false};

 private:
  std::mutex mutex_;  // guards items_
  std::condition_variable came_;
  std::deque<TokenStream::Item> items_;
  std::mutex waker_mutex_;  // guards waker_, and is held while it runs; taken before mutex_ where both are
  std::function<void()> waker_;
};

// What must come after which thought: counts the reasoning and says when tokens are forced.
class ThinkingWatch {
 public:
  ThinkingWatch() = default;
  // tidy: what is forced at the end of a budget follows </think> also where the model writes it by itself.
  ThinkingWatch(const ThinkingBudget& budget, int64_t max_tokens, bool tidy = false);
  // Before sampling: a token to take instead of a sampled one, if any.
  std::optional<int32_t> forced();
  // True while ending the answer here would leave it empty.
  bool answer_is_empty() const { return enabled_ && answer_tokens_ == 0; }
  bool thinking() const { return enabled_ && !closed_; }
  // The thought, if there is one, has ended with all that is forced after it.
  bool answering() const { return !enabled_ || (closed_ && (!closing_ || forced_done_ >= forced_ids_.size())); }
  // The model wants to stop while it still thinks: close the thought instead.
  void close() { closing_ = true; }
  void accept(int32_t id);

 private:
  bool enabled_ = false, tidy_ = false, closed_ = false, closing_ = false;
  int64_t limit_ = 0, thinking_tokens_ = 0, answer_tokens_ = 0;
  size_t forced_done_ = 0;
  ThinkingBudget budget_;
  std::vector<int32_t> forced_ids_;  // budget_'s, or as much of them as max_tokens has room for
};

// What a sequence still needs of one of its prompt's visuals.
struct SequenceVisual {
  int64_t run_tokens = 0;  // of each temporal group
  int64_t end = 0;         // the token after its last run
  std::shared_ptr<const VisionFeatures> features;  // while they are known and some of its tokens are not computed
  bool counted = false;    // in the statistics
};

struct Sequence {
  struct Limits {
    int64_t max_tokens = 0;    // of the answer
    int32_t valid_tokens = 0;  // of the sampler
    int merge_unit = 1;        // patches of a visual token
  };
  Sequence(uint64_t sequence_id, Prompt prompt, SamplingParams params, const Limits& limits);

  int64_t prompt_tokens() const { return static_cast<int64_t>(prompt.token_ids.size()); }
  int64_t total_tokens() const { return static_cast<int64_t>(tokens.size()); }
  int64_t generated() const { return total_tokens() - prompt_tokens(); }
  bool vision_done() const { return next_visual == visuals.size(); }
  // Tokens whose keys and values are still missing.
  int64_t pending() const { return total_tokens() - computed; }
  // One token a step: the answer goes on.
  bool decodes() const { return vision_done() && pending() == 1 && generated() > 0; }
  // On one of the three axes (model/rope_positions.h), past the prompt as well.
  int32_t position(int64_t axis, int64_t token) const;
  // Before requests of higher numbers and those that came later.
  bool before(const Sequence& other) const {
    return params.priority != other.params.priority ? params.priority < other.params.priority : id < other.id;
  }

  const uint64_t id;
  Prompt prompt;
  SamplingParams params;
  const int64_t max_tokens;
  std::vector<int32_t> tokens;  // the prompt's and the generated ones
  int64_t computed = 0;         // of tokens, in the KV cache
  int64_t published = 0;        // of pages, whose content the pool knows
  std::vector<int32_t> pages;   // while it runs: at least for all of tokens
  std::vector<SequenceVisual> visuals;           // of prompt.visuals
  size_t next_visual = 0;                        // those before have features, or all their tokens are computed
  std::unique_ptr<VisionTower::Run> vision_run;  // of next_visual
  double vision_run_ms = 0;                      // that it took so far
  uint64_t encode_turn = 0;                      // pictures are encoded in this order
  int64_t passed_over = 0;                       // prompt tokens that others computed while it was ready
  Sampler sampler;
  ThinkingWatch thinking;
  std::unique_ptr<TokenConstraint> constraint;  // nullptr: anything may come
  std::optional<PromptLookup> lookup;  // from the first guess on
  GuessPolicy guessing;
  std::shared_ptr<StreamState> stream = std::make_shared<StreamState>();
  RequestStats stats;
  Clock::time_point submitted = Clock::now(), admitted, prefill_start, first_token;
};

}  // namespace qvl
