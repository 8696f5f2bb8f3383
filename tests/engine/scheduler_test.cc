#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace qvl {
namespace {

std::unique_ptr<Sequence> sequence(uint64_t id, int64_t prompt_tokens, int64_t max_tokens, size_t visuals = 0) {
  Prompt prompt;
  prompt.token_ids.assign(static_cast<size_t>(prompt_tokens), 1);
  prompt.positions.assign(static_cast<size_t>(3 * prompt_tokens), 0);
  prompt.visuals.resize(visuals);
  return std::make_unique<Sequence>(id, std::move(prompt), SamplingParams{}, max_tokens, 0);
}

// The plan as id -> tokens, and what a step would leave behind.
std::map<uint64_t, int64_t> compute(const StepPlan& plan) {
  std::map<uint64_t, int64_t> out;
  for (const auto& part : plan.parts) {
    EXPECT_FALSE(out.contains(part.sequence->id));
    out[part.sequence->id] = part.tokens;
    Sequence& s = *part.sequence;
    EXPECT_GT(part.tokens, 0);
    EXPECT_LE(part.tokens, s.pending());
    s.computed += part.tokens;
    if (s.pending() == 0) s.tokens.push_back(2);
  }
  return out;
}

using Plan = std::map<uint64_t, int64_t>;

TEST(Scheduler, PagesForTokens) {
  EXPECT_EQ(pages_for(0), 0);
  EXPECT_EQ(pages_for(1), 1);
  EXPECT_EQ(pages_for(32), 1);
  EXPECT_EQ(pages_for(33), 2);
}

TEST(Scheduler, AdmitsInOrderAsLongAsPagesAreFree) {
  BlockPool pool(4);
  Scheduler scheduler({.max_sequences = 8, .prefill_chunk = 16}, pool);
  scheduler.add(sequence(1, 30, 34));  // 2 pages
  scheduler.add(sequence(2, 60, 10));  // 3 pages
  scheduler.add(sequence(3, 1, 1));    // 1 page: would fit, but is not first
  scheduler.admit();
  ASSERT_EQ(scheduler.running().size(), 1u);
  EXPECT_EQ(scheduler.waiting().size(), 2u);
  EXPECT_EQ(pool.free(), 2);
  EXPECT_EQ(scheduler.running()[0]->pages.size(), 2u);
  const Sequence* first = scheduler.running()[0].get();
  EXPECT_TRUE(scheduler.holds(first));
  EXPECT_EQ(scheduler.remove(first)->id, 1u);
  EXPECT_FALSE(scheduler.holds(first));
  EXPECT_EQ(pool.free(), 4);
  scheduler.admit();
  ASSERT_EQ(scheduler.running().size(), 2u);
  EXPECT_EQ(scheduler.running()[0]->id, 2u);
  EXPECT_EQ(scheduler.running()[1]->id, 3u);
  EXPECT_EQ(pool.free(), 0);
}

TEST(Scheduler, NoMoreAtOnceThanAllowed) {
  BlockPool pool(100);
  Scheduler scheduler({.max_sequences = 2, .prefill_chunk = 16}, pool);
  for (uint64_t id = 1; id <= 3; ++id) scheduler.add(sequence(id, 5, 5));
  scheduler.admit();
  EXPECT_EQ(scheduler.running().size(), 2u);
  EXPECT_EQ(pool.free(), 98);
}

TEST(Scheduler, RemovesFromTheQueueToo) {
  BlockPool pool(1);
  Scheduler scheduler({.max_sequences = 2, .prefill_chunk = 16}, pool);
  for (uint64_t id = 1; id <= 3; ++id) scheduler.add(sequence(id, 5, 5));
  scheduler.admit();
  EXPECT_EQ(scheduler.remove(scheduler.waiting()[0].get())->id, 2u);
  EXPECT_EQ(scheduler.waiting()[0]->id, 3u);
  EXPECT_EQ(pool.free(), 0);
  const auto stranger = sequence(9, 1, 1);
  EXPECT_EQ(scheduler.remove(stranger.get()), nullptr);
  scheduler.remove(scheduler.running()[0].get());
  EXPECT_EQ(pool.free(), 1);
  EXPECT_FALSE(scheduler.idle());
  scheduler.remove(scheduler.waiting()[0].get());
  EXPECT_TRUE(scheduler.idle());
}

TEST(Scheduler, AnswersGoOnWhileAPromptIsRead) {
  BlockPool pool(100);
  Scheduler scheduler({.max_sequences = 4, .prefill_chunk = 16}, pool);
  scheduler.add(sequence(1, 10, 50));
  scheduler.add(sequence(2, 40, 50));
  scheduler.add(sequence(3, 7, 50));
  scheduler.admit();
  EXPECT_EQ(compute(scheduler.plan()), (Plan{{1, 10}, {2, 6}}));           // the budget is shared, the oldest first
  EXPECT_EQ(compute(scheduler.plan()), (Plan{{1, 1}, {2, 16}}));           // 1 answers; its token is not of the budget
  EXPECT_EQ(compute(scheduler.plan()), (Plan{{1, 1}, {2, 16}}));
  EXPECT_EQ(compute(scheduler.plan()), (Plan{{1, 1}, {2, 2}, {3, 7}}));
  EXPECT_EQ(compute(scheduler.plan()), (Plan{{1, 1}, {2, 1}, {3, 1}}));
}

TEST(Scheduler, AnswersComeFirstInTheBatch) {
  BlockPool pool(100);
  Scheduler scheduler({.max_sequences = 4, .prefill_chunk = 4}, pool);
  scheduler.add(sequence(1, 8, 50));
  scheduler.add(sequence(2, 4, 50));
  scheduler.admit();
  compute(scheduler.plan());
  compute(scheduler.plan());
  compute(scheduler.plan());
  const auto plan = scheduler.plan();
  ASSERT_EQ(plan.parts.size(), 2u);
  EXPECT_EQ(plan.parts[0].tokens, 1);
}

TEST(Scheduler, APictureHoldsUpNobodyElse) {
  BlockPool pool(100);
  Scheduler scheduler({.max_sequences = 4, .prefill_chunk = 16}, pool);
  scheduler.add(sequence(1, 20, 50, 2));
  scheduler.add(sequence(2, 5, 50));
  scheduler.add(sequence(3, 20, 50, 1));
  scheduler.admit();
  for (int slice = 0; slice < 3; ++slice) {
    auto plan = scheduler.plan();
    ASSERT_NE(plan.encode, nullptr);
    EXPECT_EQ(plan.encode->id, 1u);  // one picture at a time, the oldest first
    EXPECT_EQ(compute(plan), (Plan{{2, slice == 0 ? 5 : 1}}));
  }
  auto& first = *scheduler.running()[0];
  first.features.resize(1);
  EXPECT_EQ(scheduler.plan().encode->id, 1u);  // its second picture
  first.features.resize(2);
  auto plan = scheduler.plan();
  EXPECT_EQ(plan.encode->id, 3u);
  EXPECT_EQ(compute(plan), (Plan{{1, 16}, {2, 1}}));
}

TEST(Scheduler, AnEmptyPlanWhereNothingRuns) {
  BlockPool pool(1);
  const Scheduler scheduler({.max_sequences = 4, .prefill_chunk = 16}, pool);
  EXPECT_TRUE(scheduler.plan().parts.empty());
  EXPECT_EQ(scheduler.plan().encode, nullptr);
  EXPECT_TRUE(scheduler.idle());
}

}  // namespace
}  // namespace qvl
