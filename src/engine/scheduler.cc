#include "engine/scheduler.h"

#include <algorithm>

#include "ops/ops.h"

namespace qvl {

int64_t pages_for(int64_t tokens) { return (tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens; }

void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < static_cast<size_t>(options_.max_sequences)) {
    Sequence& next = *waiting_.front();
    if (!pool_.take(pages_for(next.prompt_tokens() + next.max_tokens), next.pages)) return;
    next.admitted = Clock::now();
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

StepPlan Scheduler::plan() const {
  StepPlan plan;
  int64_t budget = options_.prefill_chunk;
  // Running answers first, one token each; what is left of the step goes to prompts, oldest first.
  for (const auto& s : running_) {
    if (s->vision_done() && s->pending() == 1 && s->generated() > 0) plan.parts.push_back({s.get(), 1});
  }
  for (const auto& s : running_) {
    if (!s->vision_done()) {
      if (plan.encode == nullptr) plan.encode = s.get();
    } else if (s->generated() == 0 && budget > 0) {
      const int64_t tokens = std::min(s->pending(), budget);
      plan.parts.push_back({s.get(), tokens});
      budget -= tokens;
    }
  }
  return plan;
}

bool Scheduler::holds(const Sequence* sequence) const {
  const auto is_it = [&](const auto& s) { return s.get() == sequence; };
  return std::any_of(running_.begin(), running_.end(), is_it) || std::any_of(waiting_.begin(), waiting_.end(), is_it);
}

std::unique_ptr<Sequence> Scheduler::remove(const Sequence* sequence) {
  const auto is_it = [&](const auto& s) { return s.get() == sequence; };
  std::unique_ptr<Sequence> out;
  if (const auto it = std::find_if(running_.begin(), running_.end(), is_it); it != running_.end()) {
    out = std::move(*it);
    running_.erase(it);
  } else if (const auto w = std::find_if(waiting_.begin(), waiting_.end(), is_it); w != waiting_.end()) {
    out = std::move(*w);
    waiting_.erase(w);
  }
  if (out) pool_.give_back(out->pages);
  return out;
}

}  // namespace qvl
