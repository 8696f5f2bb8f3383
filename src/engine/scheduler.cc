#include "engine/scheduler.h"

#include <algorithm>
#include <cstring>

#include "ops/ops.h"

namespace qvl {
namespace {

constexpr int64_t kPage = KvCache::kPageTokens;
constexpr int64_t kGrowPages = 4;  // at a time: guessed tokens need room as well

size_t at(int64_t i) { return static_cast<size_t>(i); }

auto is(const Sequence* sequence) {
  return [sequence](const auto& s) { return s.get() == sequence; };
}

}  // namespace

int64_t pages_for(int64_t tokens) { return (tokens + kPage - 1) / kPage; }

PagePool::Content page_content(const Sequence& s, int64_t page, uint64_t before) {
  const int64_t begin = page * kPage, end = begin + kPage;
  PagePool::Content content{.before = before, .values = {s.tokens.begin() + begin, s.tokens.begin() + end}};
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (int64_t i = begin; i < end; ++i) content.values.push_back(s.position(axis, i));
  }
  for (size_t v = 0; v < s.visuals.size(); ++v) {
    const PromptVisual& visual = s.prompt.visuals[v];
    for (size_t group = 0; group < visual.token_begins.size(); ++group) {
      const int64_t run = visual.token_begins[group], from = std::max(begin, run), to = std::min(end, run + s.visuals[v].run_tokens);
      if (from >= to) continue;
      std::array<int32_t, sizeof(Sha256) / sizeof(int32_t)> hash;
      std::memcpy(hash.data(), visual.content_hash.data(), sizeof hash);
      content.values.insert(content.values.end(), hash.begin(), hash.end());
      const auto first = static_cast<int64_t>(group) * s.visuals[v].run_tokens + from - run;
      for (const int64_t x : {from - begin, to - from, first}) content.values.push_back(static_cast<int32_t>(x));
    }
  }
  return content;
}

void Scheduler::add(std::unique_ptr<Sequence> sequence) { enqueue(std::move(sequence)); }

void Scheduler::enqueue(std::unique_ptr<Sequence> sequence) {
  const auto after = std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& s) { return sequence->before(*s); });
  waiting_.insert(after, std::move(sequence));
}

Sequence* Scheduler::least_urgent() const {
  const auto last = std::max_element(running_.begin(), running_.end(), [](const auto& a, const auto& b) { return a->before(*b); });
  return last == running_.end() ? nullptr : last->get();
}

// Of the page that the sequence computes next; nothing where that page stays unfinished or the pool is not asked. The last
// token is always computed: its logits are wanted.
std::optional<PagePool::Content> Scheduler::next_content(const Sequence& s) const {
  const int64_t page = s.computed / kPage;
  if (!options_.share_prefixes || s.published != page || (page + 1) * kPage >= s.total_tokens()) return std::nullopt;
  return page_content(s, page, page == 0 ? 0 : pool_.serial(s.pages[at(page - 1)]));
}

// At the beginning of a page: takes over those that are known from here on.
void Scheduler::take_known_pages(Sequence& s) {
  while (s.computed % kPage == 0) {
    const auto content = next_content(s);
    const auto found = content ? pool_.find(*content) : std::nullopt;
    if (!found) return;
    if (s.published < std::ssize(s.pages)) {  // a page of its own stands there
      std::vector<int32_t> own = {s.pages[at(s.published)]};
      pool_.give_back(own);
      s.pages[at(s.published)] = *found;
    } else {
      s.pages.push_back(*found);
    }
    ++s.published;
    s.computed += kPage;
  }
}

void Scheduler::admit() {
  while (!waiting_.empty()) {
    Sequence& next = *waiting_.front();
    if (running_.size() >= static_cast<size_t>(options_.max_sequences) && !make_room_for(next, 0)) return;
    take_known_pages(next);
    const int64_t known = next.computed;
    const int64_t tokens = std::min(next.total_tokens() + kReservedTokens, next.prompt_tokens() + next.max_tokens);
    const int64_t missing = pages_for(tokens) - std::ssize(next.pages);
    if (!make_room_for(next, missing) || !pool_.take(missing, next.pages)) {
      pool_.give_back(next.pages);
      next.computed = next.published = 0;
      return;
    }
    if (next.admitted == Clock::time_point{}) {
      next.admitted = Clock::now();
      next.stats.cached_tokens = known;
      counts_.query_tokens += next.prompt_tokens();
      counts_.hit_tokens += known;
    }
    end_turn(next);
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

// Preempts sequences of less urgent priorities until there is a place and so many pages are free; none where that would
// not do.
bool Scheduler::make_room_for(const Sequence& s, int64_t pages) {
  const auto fits = [&] { return running_.size() < static_cast<size_t>(options_.max_sequences) && pool_.free() >= pages; };
  int64_t reachable = pool_.free();
  bool some = false;
  for (const auto& other : running_) {
    if (other->params.priority <= s.params.priority) continue;
    some = true;
    reachable += std::ssize(other->pages);  // shared ones count too often: then one goes that could have stayed
  }
  if (!fits() && (!some || reachable < pages)) return false;
  while (!fits()) {
    Sequence* const victim = least_urgent();
    if (victim == nullptr || victim->params.priority <= s.params.priority) return false;
    preempt(*victim);
  }
  return true;
}

void Scheduler::grow() {
  std::vector<Sequence*> order;
  for (const auto& s : running_) order.push_back(s.get());
  std::sort(order.begin(), order.end(), [](const Sequence* a, const Sequence* b) { return a->before(*b); });
  for (Sequence* s : order) {
    if (s->pages.empty()) continue;  // made room for one before it
    const int64_t most = pages_for(s->prompt_tokens() + s->max_tokens);
    while (pages_for(s->total_tokens()) > std::ssize(s->pages)) {
      const int64_t wanted = std::clamp<int64_t>(most - std::ssize(s->pages), 1, kGrowPages);
      if (pool_.take(wanted, s->pages) || pool_.take(1, s->pages)) continue;
      Sequence* const victim = least_urgent();
      preempt(*victim);
      if (victim == s) break;
    }
  }
}

// What it computed stays known as long as the room is not needed: coming back may cost little.
void Scheduler::preempt(Sequence& s) {
  pool_.give_back(s.pages);
  s.computed = s.published = 0;
  s.next_visual = 0;
  s.vision_run.reset();
  s.vision_run_ms = 0;
  ++s.stats.preemptions;
  ++counts_.preemptions;
  const auto it = std::find_if(running_.begin(), running_.end(), is(&s));
  auto owned = std::move(*it);
  running_.erase(it);
  enqueue(std::move(owned));
}

StepPlan Scheduler::plan(int64_t prefill_tokens) {
  StepPlan plan;
  for (const auto& s : running_) {
    if (s->decodes()) plan.parts.push_back({.sequence = s.get(), .tokens = 1, .answers = true});
    if (s->vision_done()) continue;
    // Most urgent first, then by turns, but a picture that was begun is finished: its activations are many.
    const auto rank = [](const Sequence& x) { return std::tuple(x.vision_run == nullptr, x.params.priority, x.encode_turn); };
    if (plan.encode == nullptr || rank(*s) < rank(*plan.encode)) plan.encode = s.get();
  }
  plan_prompts(plan, prefill_tokens);
  return plan;
}

void Scheduler::plan_prompts(StepPlan& plan, int64_t tokens) {
  std::vector<Sequence*> ready;
  for (const auto& s : running_) {
    if (s->vision_done() && !s->decodes()) ready.push_back(s.get());
  }
  for (Sequence* s : ready) {
    const int64_t known = s->computed;
    take_known_pages(*s);
    if (s->generated() == 0) s->stats.cached_tokens += s->computed - known;
  }
  const auto rank = [](const Sequence* s) { return std::tuple(s->params.priority, s->pending() - s->passed_over, s->id); };
  std::sort(ready.begin(), ready.end(), [&](const Sequence* a, const Sequence* b) { return rank(a) < rank(b); });
  std::vector<PagePool::Content> begun;
  int64_t left = tokens;
  for (Sequence* s : ready) {
    if (left == 0) break;
    auto content = next_content(*s);
    // Another one computes this very page in this step: the next step finds it.
    if (content && std::find(begun.begin(), begun.end(), *content) != begun.end()) continue;
    const int64_t count = std::min(s->pending(), left);
    plan.parts.push_back({.sequence = s, .tokens = count});
    left -= count;
    if (content) begun.push_back(std::move(*content));
  }
  for (Sequence* s : ready) {
    const auto mine = std::find_if(plan.parts.begin(), plan.parts.end(), [&](const auto& part) { return part.sequence == s; });
    if (mine != plan.parts.end()) {
      s->passed_over += tokens - left - mine->tokens;
    } else if (const auto content = next_content(*s); !content || std::find(begun.begin(), begun.end(), *content) == begun.end()) {
      s->passed_over += tokens - left;  // who waits for the same page is being served
    }
  }
}

void Scheduler::publish(Sequence& s) {
  if (!options_.share_prefixes) return;
  while ((s.published + 1) * kPage <= s.computed) {
    const uint64_t before = s.published == 0 ? 0 : pool_.serial(s.pages[at(s.published - 1)]);
    int32_t& page = s.pages[at(s.published)];
    page = pool_.publish(page, page_content(s, s.published, before));
    ++s.published;
  }
}

bool Scheduler::holds(const Sequence* sequence) const {
  return std::any_of(running_.begin(), running_.end(), is(sequence)) || std::any_of(waiting_.begin(), waiting_.end(), is(sequence));
}

std::unique_ptr<Sequence> Scheduler::remove(const Sequence* sequence, bool sound) {
  std::unique_ptr<Sequence> out;
  if (const auto it = std::find_if(running_.begin(), running_.end(), is(sequence)); it != running_.end()) {
    out = std::move(*it);
    running_.erase(it);
  } else if (const auto w = std::find_if(waiting_.begin(), waiting_.end(), is(sequence)); w != waiting_.end()) {
    out = std::move(*w);
    waiting_.erase(w);
  }
  if (out) sound ? pool_.give_back(out->pages) : pool_.forget(out->pages);
  return out;
}

}  // namespace qvl
