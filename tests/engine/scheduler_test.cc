#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace qvl {
namespace {

// Its tokens are `token` and the numbers after it: two with the same one begin with the same text.
std::unique_ptr<Sequence> sequence(uint64_t id, int64_t prompt_tokens, int64_t max_tokens, size_t visuals = 0, int priority = 0,
                                   int32_t token = -1) {
  Prompt prompt;
  for (int64_t i = 0; i < prompt_tokens; ++i) {
    prompt.token_ids.push_back(static_cast<int32_t>(i) + (token < 0 ? 1000 * static_cast<int32_t>(id) : token));
  }
  prompt.positions.assign(static_cast<size_t>(3 * prompt_tokens), 0);
  prompt.visuals.resize(visuals);
  SamplingParams params;
  params.priority = priority;
  return std::make_unique<Sequence>(id, std::move(prompt), params, Sequence::Limits{.max_tokens = max_tokens});
}

using Plan = std::map<uint64_t, int64_t>;

class SchedulerTest : public ::testing::Test {
 protected:
  explicit SchedulerTest(int32_t pages = 100) : pool(pages) {}

  void start(const SchedulerOptions& options = {}) { scheduler = std::make_unique<Scheduler>(options, pool); }
  void add(std::unique_ptr<Sequence> s) { scheduler->add(std::move(s)); }
  Sequence* running(uint64_t id) const {
    for (const auto& s : scheduler->running()) {
      if (s->id == id) return s.get();
    }
    return nullptr;
  }
  std::vector<uint64_t> waiting() const {
    std::vector<uint64_t> ids;
    for (const auto& s : scheduler->waiting()) ids.push_back(s->id);
    return ids;
  }
  // Plans, computes and leaves behind what a step would: id -> tokens.
  Plan step(int64_t prefill_tokens = 16) {
    Plan out;
    for (const auto& part : scheduler->plan(prefill_tokens).parts) {
      Sequence& s = *part.sequence;
      EXPECT_FALSE(out.contains(s.id));
      EXPECT_GT(part.tokens, 0);
      EXPECT_LE(part.tokens, s.pending());
      EXPECT_EQ(part.answers, s.decodes());
      EXPECT_LE(s.computed + part.tokens, std::ssize(s.pages) * 32);
      out[s.id] = part.tokens;
      s.computed += part.tokens;
      if (s.pending() == 0) s.tokens.push_back(2);
      scheduler->publish(s);
    }
    return out;
  }
  // Everybody gone: every page is free, and only known ones are not empty.
  void expect_level() {
    while (!scheduler->running().empty()) scheduler->remove(scheduler->running()[0].get());
    while (!scheduler->waiting().empty()) scheduler->remove(scheduler->waiting()[0].get());
    EXPECT_EQ(pool.free(), pool.total());
  }

  PagePool pool;
  std::unique_ptr<Scheduler> scheduler;
};

class SmallPoolTest : public SchedulerTest {
 protected:
  SmallPoolTest() : SchedulerTest(10) {}
};

TEST(Scheduler, PagesForTokens) {
  EXPECT_EQ(pages_for(0), 0);
  EXPECT_EQ(pages_for(1), 1);
  EXPECT_EQ(pages_for(32), 1);
  EXPECT_EQ(pages_for(33), 2);
}

// ---- admission -----------------------------------------------------------------------------------------------------

TEST_F(SmallPoolTest, AdmitsInOrderAsLongAsPagesAreFree) {
  start();
  add(sequence(1, 60, 1000));  // 60 + 256 tokens: 10 pages
  add(sequence(2, 1, 1));      // would fit at once, but is not first
  scheduler->admit();
  ASSERT_EQ(scheduler->running().size(), 1u);
  EXPECT_EQ(running(1)->pages.size(), 10u);
  EXPECT_EQ(pool.free(), 0);
  EXPECT_TRUE(scheduler->holds(running(1)));
  const Sequence* const first = running(1);
  EXPECT_EQ(scheduler->remove(first)->id, 1u);
  EXPECT_FALSE(scheduler->holds(first));
  scheduler->admit();
  EXPECT_EQ(running(2)->pages.size(), 1u);  // a short answer reserves no more than it can need
  expect_level();
}

TEST_F(SchedulerTest, NoMoreAtOnceThanAllowed) {
  start({.max_sequences = 2});
  for (uint64_t id = 1; id <= 3; ++id) add(sequence(id, 5, 5));
  scheduler->admit();
  EXPECT_EQ(scheduler->running().size(), 2u);
  EXPECT_EQ(pool.free(), 98);
}

TEST_F(SchedulerTest, RemovesFromTheQueueToo) {
  start({.max_sequences = 1});
  for (uint64_t id = 1; id <= 3; ++id) add(sequence(id, 5, 5));
  scheduler->admit();
  EXPECT_EQ(scheduler->remove(scheduler->waiting()[0].get())->id, 2u);
  EXPECT_EQ(waiting(), std::vector<uint64_t>{3});
  const auto stranger = sequence(9, 1, 1);
  EXPECT_EQ(scheduler->remove(stranger.get()), nullptr);
  EXPECT_FALSE(scheduler->idle());
  expect_level();
  EXPECT_TRUE(scheduler->idle());
}

TEST_F(SchedulerTest, TheMoreUrgentGoFirst) {
  start({.max_sequences = 1});
  add(sequence(1, 5, 5, 0, 1));
  add(sequence(2, 5, 5, 0, 1));
  add(sequence(3, 5, 5, 0, -1));
  add(sequence(4, 5, 5));
  EXPECT_EQ(waiting(), (std::vector<uint64_t>{3, 4, 1, 2}));
  scheduler->admit();
  EXPECT_NE(running(3), nullptr);
}

TEST_F(SchedulerTest, TheMoreUrgentTakesAPlace) {
  start({.max_sequences = 2});
  add(sequence(1, 5, 50, 0, 1));
  add(sequence(2, 5, 50, 0, 1));
  scheduler->admit();
  step();
  add(sequence(3, 5, 50, 0, 1));  // just as urgent: waits
  scheduler->admit();
  EXPECT_EQ(waiting(), std::vector<uint64_t>{3});
  add(sequence(4, 5, 50));
  scheduler->admit();
  EXPECT_NE(running(4), nullptr);
  EXPECT_NE(running(1), nullptr);
  EXPECT_EQ(waiting(), (std::vector<uint64_t>{2, 3}));  // the youngest went, and comes back first
  EXPECT_EQ(scheduler->counts().preemptions, 1);
  expect_level();
}

TEST_F(SmallPoolTest, NobodyGoesWhereThatWouldNotDo) {
  start();
  add(sequence(1, 200, 60, 0, 0));  // 9 pages
  add(sequence(2, 10, 10, 0, 5));   // 1 page
  scheduler->admit();
  add(sequence(3, 100, 100, 0, 1));  // more than number 2 could give back
  scheduler->admit();
  EXPECT_NE(running(2), nullptr);
  EXPECT_EQ(waiting(), std::vector<uint64_t>{3});
}

// ---- steps ---------------------------------------------------------------------------------------------------------

TEST_F(SchedulerTest, AnswersGoOnWhileAPromptIsRead) {
  start();
  add(sequence(1, 10, 50));
  add(sequence(2, 40, 50));
  add(sequence(3, 7, 50));
  scheduler->admit();
  EXPECT_EQ(step(), (Plan{{1, 9}, {3, 7}}));  // the shortest first
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 15}, {3, 1}}));
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 16}, {3, 1}}));
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 9}, {3, 1}}));
  EXPECT_EQ(step(), (Plan{{1, 1}, {2, 1}, {3, 1}}));
}

TEST_F(SchedulerTest, AnswersComeFirstInTheBatch) {
  start();
  add(sequence(1, 8, 50));
  add(sequence(2, 4, 50));
  scheduler->admit();
  step(4);
  const auto plan = scheduler->plan(4);
  ASSERT_EQ(plan.parts.size(), 2u);
  EXPECT_TRUE(plan.parts[0].answers);
  EXPECT_FALSE(plan.parts[1].answers);
}

// However many short prompts come, a long one is read: it waits for no more tokens than it has itself.
TEST_F(SchedulerTest, ALongPromptIsNotStarved) {
  start({.max_sequences = 2});
  add(sequence(1, 320, 1));
  int64_t others = 0;
  for (uint64_t id = 2; running(1) == nullptr || running(1)->generated() == 0; ++id) {
    ASSERT_LT(id, 200u);
    add(sequence(id, 16, 1));
    scheduler->admit();
    for (const auto& [who, tokens] : step()) others += who == 1 ? 0 : tokens;
    if (const Sequence* s = running(id); s != nullptr && s->generated() > 0) scheduler->remove(s);
  }
  EXPECT_LE(others, 340);
  EXPECT_GT(others, 100);  // and the short ones did go first
}

TEST_F(SchedulerTest, PicturesTakeTurnsAndHoldUpNobodyElse) {
  start();
  add(sequence(1, 20, 50, 2));
  add(sequence(2, 5, 50));
  add(sequence(3, 20, 50, 1));
  scheduler->admit();
  const auto encodes = [&] { return scheduler->plan(0).encode->id; };
  EXPECT_EQ(encodes(), 1u);  // one picture at a time, the oldest first
  EXPECT_EQ(step(), (Plan{{2, 5}}));
  EXPECT_EQ(step(), (Plan{{2, 1}}));
  const auto picture_done = [&](uint64_t id) {
    ++running(id)->next_visual;
    scheduler->end_turn(*running(id));
  };
  picture_done(1);
  EXPECT_EQ(encodes(), 3u);  // before the other's second
  picture_done(3);
  EXPECT_EQ(encodes(), 1u);
  EXPECT_EQ(step(), (Plan{{2, 1}, {3, 16}}));
  picture_done(1);
  EXPECT_EQ(scheduler->plan(0).encode, nullptr);
  EXPECT_EQ(step(), (Plan{{1, 12}, {2, 1}, {3, 4}}));
}

TEST_F(SchedulerTest, AnEmptyPlanWhereNothingRuns) {
  start();
  EXPECT_TRUE(scheduler->plan(16).parts.empty());
  EXPECT_EQ(scheduler->plan(16).encode, nullptr);
  EXPECT_TRUE(scheduler->idle());
}

// ---- pages ---------------------------------------------------------------------------------------------------------

TEST_F(SmallPoolTest, AnAnswerGrowsAndTheYoungestMakesRoom) {
  start();
  add(sequence(1, 20, 300));  // 9 pages at first
  scheduler->admit();
  step(32);
  add(sequence(2, 20, 12));  // 1 page
  scheduler->admit();
  step(32);
  ASSERT_EQ(pool.free(), 0);
  Sequence& first = *running(1);
  for (; first.total_tokens() < 9 * 32; ++first.computed) first.tokens.push_back(2);
  scheduler->grow();
  EXPECT_EQ(first.pages.size(), 9u);
  EXPECT_NE(running(2), nullptr);
  first.tokens.push_back(2);
  ++first.computed;
  scheduler->grow();
  EXPECT_EQ(first.pages.size(), 10u);
  EXPECT_EQ(waiting(), std::vector<uint64_t>{2});
  EXPECT_EQ(scheduler->counts().preemptions, 1);
  scheduler->admit();  // no room yet
  EXPECT_EQ(waiting(), std::vector<uint64_t>{2});
  expect_level();
}

TEST_F(SmallPoolTest, WhoMadeRoomGoesOnWhereItWas) {
  start();
  add(sequence(1, 200, 100, 0, 0));
  scheduler->admit();
  step(256);
  EXPECT_EQ(pool.free(), 0);
  running(1)->tokens.insert(running(1)->tokens.end(), {5, 6, 7});
  running(1)->computed += 3;
  const std::vector<int32_t> tokens = running(1)->tokens;
  add(sequence(2, 10, 10, 0, -1));
  scheduler->admit();
  ASSERT_NE(running(2), nullptr);
  ASSERT_EQ(waiting(), std::vector<uint64_t>{1});
  EXPECT_EQ(scheduler->waiting()[0]->computed, 0);
  EXPECT_TRUE(scheduler->waiting()[0]->pages.empty());
  scheduler->remove(running(2));
  scheduler->admit();
  Sequence& back = *running(1);
  EXPECT_EQ(back.tokens, tokens);
  EXPECT_EQ(back.computed, 192);  // six full pages were still known
  EXPECT_EQ(back.stats.preemptions, 1);
  EXPECT_EQ(back.stats.cached_tokens, 0);  // what it computed itself is no saving
  EXPECT_EQ(step(), (Plan{{1, back.total_tokens() - 192}}));
  EXPECT_TRUE(back.decodes());
  expect_level();
}

TEST_F(SchedulerTest, ASecondQuestionTakesWhatIsKnown) {
  start();
  add(sequence(1, 100, 10, 0, 0, 7));
  scheduler->admit();
  step(128);
  scheduler->remove(running(1));
  EXPECT_EQ(pool.cached(), 3);
  add(sequence(2, 90, 10, 0, 0, 7));
  add(sequence(3, 96, 10, 0, 0, 7));  // its last token must be computed
  add(sequence(4, 90, 10, 0, 0, 8));  // another text
  scheduler->admit();
  EXPECT_EQ(running(2)->stats.cached_tokens, 64);
  EXPECT_EQ(running(3)->stats.cached_tokens, 64);
  EXPECT_EQ(running(4)->stats.cached_tokens, 0);
  EXPECT_EQ(running(2)->pages[1], running(3)->pages[1]);
  EXPECT_NE(running(2)->pages[2], running(3)->pages[2]);
  EXPECT_EQ(scheduler->counts().query_tokens, 100 + 90 + 96 + 90);
  EXPECT_EQ(scheduler->counts().hit_tokens, 128);
  expect_level();
}

TEST_F(SchedulerTest, WithoutSharingNothingIsKept) {
  start({.share_prefixes = false});
  for (uint64_t id = 1; id <= 2; ++id) {
    add(sequence(id, 100, 10, 0, 0, 7));
    scheduler->admit();
    EXPECT_EQ(running(id)->computed, 0);
    step(128);
    scheduler->remove(running(id));
    EXPECT_EQ(pool.cached(), 0);
  }
}

// The same prompt twice at the same time is computed once, but for its end.
TEST_F(SchedulerTest, TheSamePromptAtOnce) {
  start();
  add(sequence(1, 100, 10, 0, 0, 7));
  add(sequence(2, 100, 10, 0, 0, 7));
  scheduler->admit();
  EXPECT_EQ(step(48), (Plan{{1, 48}}));
  EXPECT_EQ(step(48), (Plan{{1, 48}}));  // the page that 1 has begun is not begun twice
  EXPECT_EQ(step(48), (Plan{{1, 4}, {2, 4}}));
  EXPECT_EQ(running(2)->stats.cached_tokens, 96);
  EXPECT_EQ(running(1)->pages[2], running(2)->pages[2]);
  expect_level();
}

TEST_F(SchedulerTest, WhatAFailedRequestComputedServesNobody) {
  start();
  add(sequence(1, 100, 10, 0, 0, 7));
  scheduler->admit();
  step(128);
  scheduler->remove(running(1), false);
  EXPECT_EQ(pool.cached(), 0);
  EXPECT_EQ(pool.free(), pool.total());
}

// Everything that decides keys and values is in the content of a page.
TEST(Scheduler, APageIsKnownByAllThatMadeIt) {
  const auto make = [](int change) {
    Prompt prompt;
    prompt.token_ids.assign(64, 3);
    prompt.positions.assign(3 * 64, 1);
    PromptVisual visual;
    visual.grid = {1, 4, 8};
    visual.token_begins = {30};  // 8 tokens
    if (change == 1) prompt.token_ids[5] = 4;
    if (change == 2) prompt.positions[64 + 9] = 2;  // an h of the first page
    if (change == 3) visual.content_hash[31] = 1;
    if (change == 4) visual.token_begins = {31};
    if (change == 5) prompt.token_ids[40] = 4;
    prompt.visuals.push_back(visual);
    return Sequence(1, std::move(prompt), {}, {.merge_unit = 4});
  };
  const auto page = [&](int change, int64_t which) { return page_content(make(change), which, 0); };
  for (const int change : {1, 2, 3, 4}) EXPECT_NE(page(change, 0), page(0, 0)) << change;
  for (const int change : {3, 4, 5}) EXPECT_NE(page(change, 1), page(0, 1)) << change;
  for (const int change : {1, 2}) EXPECT_EQ(page(change, 1), page(0, 1)) << change;
  EXPECT_EQ(page(5, 0), page(0, 0));
  EXPECT_NE(page_content(make(0), 1, 1), page_content(make(0), 1, 2));
}

}  // namespace
}  // namespace qvl
