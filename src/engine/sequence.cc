#include "engine/sequence.h"

#include <algorithm>

namespace qvl {

void StreamState::push(TokenStream::Item item) {
  {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }
  came_.notify_one();
  const std::lock_guard lock(waker_mutex_);
  if (waker_) waker_();
}

std::optional<TokenStream::Item> StreamState::try_next() {
  const std::lock_guard lock(mutex_);
  if (items_.empty()) return std::nullopt;
  auto item = std::move(items_.front());
  items_.pop_front();
  return item;
}

TokenStream::Item StreamState::next() {
  std::unique_lock lock(mutex_);
  came_.wait(lock, [&] { return !items_.empty(); });
  auto item = std::move(items_.front());
  items_.pop_front();
  return item;
}

void StreamState::set_waker(std::function<void()> waker) {
  // An item that comes between the two locks wakes twice, which does no harm; the other order could miss one.
  const std::lock_guard lock(waker_mutex_);
  waker_ = std::move(waker);
  bool some;
  {
    const std::lock_guard items_lock(mutex_);
    some = !items_.empty();
  }
  if (some && waker_) waker_();
}

ThinkingWatch::ThinkingWatch(const ThinkingBudget& budget, int64_t max_tokens, bool tidy)
    : enabled_(true), tidy_(tidy), budget_(budget), forced_ids_(budget.forced_ids) {
  // Too few tokens for the whole text and an answer: then only the end itself.
  if (max_tokens <= std::ssize(forced_ids_)) forced_ids_ = {budget.end_token_id};
  const auto forced = std::ssize(forced_ids_);
  limit_ = std::max<int64_t>(0, max_tokens - std::max<int64_t>(1, budget.answer_reserve_tokens) - forced);
  if (budget.max_thinking_tokens >= 0) limit_ = std::min(limit_, budget.max_thinking_tokens);
}

std::optional<int32_t> ThinkingWatch::forced() {
  if (!enabled_) return std::nullopt;
  if (!closed_ && thinking_tokens_ >= limit_) closing_ = true;
  if (!closing_ || forced_done_ >= forced_ids_.size()) return std::nullopt;
  return forced_ids_[forced_done_++];
}

void ThinkingWatch::accept(int32_t id) {
  if (!enabled_) return;
  if (!closed_) {
    ++thinking_tokens_;
    closed_ = id == budget_.end_token_id;
    if (closed_ && tidy_ && !closing_) {
      closing_ = true;
      const auto end = std::find(forced_ids_.begin(), forced_ids_.end(), id);
      forced_done_ = static_cast<size_t>(end - forced_ids_.begin()) + (end != forced_ids_.end() ? 1 : 0);
    }
  } else if (std::find(budget_.forced_ids.begin(), budget_.forced_ids.end(), id) == budget_.forced_ids.end()) {
    ++answer_tokens_;  // the newlines between thought and answer are no answer yet
  }
}

Sequence::Sequence(uint64_t sequence_id, Prompt p, SamplingParams s, const Limits& limits)
    : id(sequence_id), prompt(std::move(p)), params(std::move(s)), max_tokens(limits.max_tokens), tokens(prompt.token_ids),
      sampler(params, prompt.token_ids, limits.valid_tokens) {
  if (params.constraint) constraint = params.constraint();
  if (params.thinking) thinking = ThinkingWatch(*params.thinking, max_tokens, constraint != nullptr);
  stats.prompt_tokens = prompt_tokens();
  for (const PromptVisual& visual : prompt.visuals) {
    SequenceVisual& v = visuals.emplace_back();
    v.run_tokens = int64_t{visual.grid.h} * visual.grid.w / limits.merge_unit;
    for (const int64_t begin : visual.token_begins) v.end = std::max(v.end, begin + v.run_tokens);
  }
}

int32_t Sequence::position(int64_t axis, int64_t token) const {
  const int64_t prompt_end = prompt_tokens();
  if (token < prompt_end) return prompt.positions[static_cast<size_t>(axis * prompt_end + token)];
  return static_cast<int32_t>(token) + prompt.rope_delta;
}

}  // namespace qvl
