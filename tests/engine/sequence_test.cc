// The watch over a thought, and the crossing between the engine's thread and a stream's owner.
#include "engine/sequence.h"

#include <gtest/gtest.h>

#include <thread>

namespace qvl {
namespace {

constexpr int32_t kEnd = 90, kNewline = 91, kBlank = 92, kWord = 1;

ThinkingBudget budget(int64_t most, int64_t reserve) {
  return {.end_token_id = kEnd, .max_thinking_tokens = most, .answer_reserve_tokens = reserve, .forced_ids = {kNewline, kEnd, kBlank}};
}

// A model that never stops: the tokens of max_tokens steps, forced ones or kWord.
std::vector<int32_t> endless(ThinkingWatch watch, int64_t max_tokens) {
  std::vector<int32_t> out;
  for (int64_t i = 0; i < max_tokens; ++i) {
    out.push_back(watch.forced().value_or(kWord));
    watch.accept(out.back());
  }
  return out;
}

std::vector<int32_t> ids(size_t thinking, std::vector<int32_t> forced, size_t answer) {
  std::vector<int32_t> out(thinking, kWord);
  out.insert(out.end(), forced.begin(), forced.end());
  out.insert(out.end(), answer, kWord);
  return out;
}

TEST(ThinkingWatch, TheBudgetForcesTheEnd) {
  EXPECT_EQ(endless({budget(5, 0), 20}, 20), ids(5, {kNewline, kEnd, kBlank}, 12));
  EXPECT_EQ(endless({budget(0, 0), 8}, 8), ids(0, {kNewline, kEnd, kBlank}, 5));
}

TEST(ThinkingWatch, TheReserveIsKeptForTheAnswer) {
  EXPECT_EQ(endless({budget(-1, 8), 20}, 20), ids(9, {kNewline, kEnd, kBlank}, 8));
  EXPECT_EQ(endless({budget(15, 8), 20}, 20), ids(9, {kNewline, kEnd, kBlank}, 8));  // the smaller of the two
  EXPECT_EQ(endless({budget(-1, 0), 20}, 20), ids(16, {kNewline, kEnd, kBlank}, 1));  // one token at least
}

TEST(ThinkingWatch, VeryFewTokensStillEndInAnAnswer) {
  EXPECT_EQ(endless({budget(-1, 0), 1}, 1), (std::vector<int32_t>{kEnd}));
  EXPECT_EQ(endless({budget(-1, 0), 2}, 2), (std::vector<int32_t>{kEnd, kWord}));
  EXPECT_EQ(endless({budget(-1, 1), 3}, 3), (std::vector<int32_t>{kWord, kEnd, kWord}));
  EXPECT_EQ(endless({budget(-1, 2), 4}, 4), (std::vector<int32_t>{kNewline, kEnd, kBlank, kWord}));
  EXPECT_EQ(endless({budget(-1, 2), 5}, 5), (std::vector<int32_t>{kNewline, kEnd, kBlank, kWord, kWord}));
  EXPECT_EQ(endless({budget(-1, 1000), 5}, 5), (std::vector<int32_t>{kNewline, kEnd, kBlank, kWord, kWord}));
}

TEST(ThinkingWatch, ANaturalEndIsLeftAlone) {
  ThinkingWatch watch(budget(5, 0), 100);
  for (const int32_t id : {kWord, kWord, kEnd}) {
    EXPECT_FALSE(watch.forced());
    EXPECT_TRUE(watch.thinking());
    watch.accept(id);
  }
  EXPECT_FALSE(watch.thinking());
  for (int i = 0; i < 50; ++i) {
    EXPECT_FALSE(watch.forced());
    watch.accept(kWord);
  }
}

TEST(ThinkingWatch, ANaturalEndAtTheLastTokenIsNotForcedAgain) {
  ThinkingWatch watch(budget(3, 0), 100);
  for (const int32_t id : {kWord, kWord, kEnd, kWord}) {
    EXPECT_FALSE(watch.forced());
    watch.accept(id);
  }
}

TEST(ThinkingWatch, NewlinesAreNoAnswer) {
  ThinkingWatch watch(budget(-1, 0), 100);
  EXPECT_TRUE(watch.answer_is_empty());
  watch.accept(kEnd);
  watch.accept(kBlank);
  EXPECT_TRUE(watch.answer_is_empty());
  watch.accept(kWord);
  EXPECT_FALSE(watch.answer_is_empty());
}

TEST(ThinkingWatch, AStopInsideTheThoughtClosesIt) {
  ThinkingWatch watch(budget(-1, 0), 100);
  watch.accept(kWord);
  EXPECT_FALSE(watch.forced());
  watch.close();
  for (const int32_t want : {kNewline, kEnd, kBlank}) {
    const auto forced = watch.forced();
    ASSERT_EQ(forced, want);
    watch.accept(*forced);
  }
  EXPECT_FALSE(watch.forced());
  EXPECT_FALSE(watch.thinking());
  EXPECT_TRUE(watch.answer_is_empty());
}

TEST(ThinkingWatch, WithoutABudgetNothingHappens) {
  ThinkingWatch watch;
  watch.accept(kEnd);
  EXPECT_FALSE(watch.forced());
  EXPECT_FALSE(watch.thinking());
  EXPECT_FALSE(watch.answer_is_empty());
}

TokenStream::Item token(int32_t id) {
  TokenStream::Item item{.kind = TokenStream::Item::Kind::kToken, .token = {}, .finish = {}, .error_code = {}, .error_message = {}, .stats = {}};
  item.token.id = id;
  return item;
}

TEST(StreamState, ItemsInOrder) {
  StreamState state;
  EXPECT_FALSE(state.try_next());
  state.push(token(1));
  state.push(token(2));
  EXPECT_EQ(state.try_next()->token.id, 1);
  EXPECT_EQ(state.next().token.id, 2);
  EXPECT_FALSE(state.try_next());
}

TEST(StreamState, NextWaits) {
  StreamState state;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (int32_t i = 0; i < 1000; ++i) state.push(token(i));
  });
  for (int32_t i = 0; i < 1000; ++i) ASSERT_EQ(state.next().token.id, i);
  other.join();
}

TEST(StreamState, TheWakerIsCalledForWhatIsThereAndWhatComes) {
  StreamState state;
  int calls = 0;
  state.set_waker([&] { ++calls; });
  EXPECT_EQ(calls, 0);
  state.push(token(1));
  EXPECT_EQ(calls, 1);
  state.set_waker({});  // with an item unread
  state.push(token(2));
  EXPECT_EQ(calls, 1);
  state.set_waker([&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

// Once set_waker({}) returns, what the waker uses may go, however busy the other thread is. A sanitizer sees it if not.
TEST(StreamState, AWakerThatWasTakenBackIsNotRunning) {
  for (int round = 0; round < 300; ++round) {
    StreamState state;
    std::atomic<bool> go{false}, stop{false};
    std::thread engine([&] {
      while (!go) {
      }
      while (!stop) state.push(token(1));
    });
    auto owner = std::make_unique<std::vector<int>>(1);
    state.set_waker([raw = owner.get()] { ++raw->front(); });
    go = true;
    while (state.try_next() == std::nullopt) {
    }
    state.set_waker({});
    owner.reset();
    stop = true;
    engine.join();
  }
}

}  // namespace
}  // namespace qvl
