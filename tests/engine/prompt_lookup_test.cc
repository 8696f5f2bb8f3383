#include "engine/prompt_lookup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace qvl {
namespace {

using Ids = std::vector<int32_t>;

PromptLookup::Match find(const Ids& tokens) { return PromptLookup(static_cast<int64_t>(tokens.size())).find(tokens); }

// The same by looking at every place.
PromptLookup::Match slow_find(const Ids& tokens) {
  const auto size = std::ssize(tokens);
  PromptLookup::Match best;
  for (int64_t next = size - 1; next > 0; --next) {
    int n = 0;
    while (n < PromptLookup::kLongest && n < next && tokens[static_cast<size_t>(next - n - 1)] == tokens[static_cast<size_t>(size - n - 1)]) ++n;
    if (n >= PromptLookup::kShortest && n > best.length) best = {next, n};
  }
  while (best.length >= PromptLookup::kLongest && best.length < PromptLookup::kLongestMatch && best.length < best.next &&
         tokens[static_cast<size_t>(best.next - best.length - 1)] == tokens[static_cast<size_t>(size - best.length - 1)]) {
    ++best.length;
  }
  return best;
}

TEST(PromptLookup, TheLatestOfTheLongest) {
  EXPECT_EQ(find({}).length, 0);
  EXPECT_EQ(find({1}).length, 0);
  EXPECT_EQ(find({1, 2, 3, 4}).length, 0);
  EXPECT_EQ(find({1, 2, 3, 2}).length, 0);  // one token is no context
  auto match = find({1, 2, 3, 9, 1, 2});
  EXPECT_EQ(match.next, 2);
  EXPECT_EQ(match.length, 2);
  match = find({5, 1, 2, 3, 6, 1, 2, 4, 7, 1, 2});
  EXPECT_EQ(match.next, 7);  // the later of two
  match = find({8, 5, 1, 2, 3, 6, 1, 2, 4, 5, 1, 2});
  EXPECT_EQ(match.next, 4);  // 5 1 2 says more than 1 2
  EXPECT_EQ(match.length, 3);
  match = find({7, 7, 7, 7});
  EXPECT_EQ(match.next, 3);
  EXPECT_EQ(match.length, 3);
  Ids twice(40);
  for (int i = 0; i < 40; ++i) twice[static_cast<size_t>(i)] = i % 20;
  EXPECT_EQ(find(twice).next, 20);
  EXPECT_EQ(find(twice).length, PromptLookup::kLongestMatch);
}

// Token by token and in leaps, with few ids so that everything repeats, over tables of any size.
TEST(PromptLookup, IsWhatASearchFinds) {
  std::mt19937 rng(5);
  for (const int32_t ids : {2, 3, 7, 40}) {
    PromptLookup lookup(100000);  // no n-gram loses its slot to another
    Ids tokens;
    for (int step = 0; step < 400; ++step) {
      for (auto leap = rng() % 8 == 0 ? 1 + rng() % 50 : 1u; leap > 0; --leap) {
        tokens.push_back(static_cast<int32_t>(rng() % static_cast<uint64_t>(ids)) - 1);
      }
      const auto got = lookup.find(tokens), want = slow_find(tokens);
      EXPECT_EQ(got.length, want.length) << ids << " " << tokens.size();
      EXPECT_EQ(got.next, want.next) << ids << " " << tokens.size();
    }
  }
}

// A table far too small forgets, but what it finds is right.
TEST(PromptLookup, NgramsThatShareASlot) {
  std::mt19937 rng(6);
  PromptLookup lookup(1);
  Ids tokens;
  int found = 0;
  for (int step = 0; step < 3000; ++step) {
    tokens.push_back(static_cast<int32_t>(rng() % 30));
    const auto match = lookup.find(tokens);
    if (match.length == 0) continue;
    ++found;
    ASSERT_LT(match.next, std::ssize(tokens));
    ASSERT_LE(match.length, match.next);
    EXPECT_TRUE(std::equal(tokens.end() - match.length, tokens.end(), tokens.begin() + match.next - match.length));
  }
  EXPECT_GT(found, 10);
}

TEST(PromptLookup, ManyTokensAreFoundAgain) {
  std::mt19937 rng(7);
  constexpr int64_t kTokens = 262144;
  Ids tokens(kTokens);
  for (auto& id : tokens) id = static_cast<int32_t>(rng() % 151936);
  PromptLookup lookup(kTokens + 8);
  lookup.find(tokens);
  int found = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const auto from = static_cast<std::ptrdiff_t>(rng() % (kTokens - 8));
    Ids longer = tokens;
    PromptLookup copy = lookup;
    longer.insert(longer.end(), tokens.begin() + from, tokens.begin() + from + 4);
    found += copy.find(longer).next == from + 4;
  }
  EXPECT_GT(found, 150);  // 786 thousand n-grams in a million slots
}

TEST(PromptLookup, Guesses) {
  const Ids tokens = {1, 2, 3, 4, 1, 2};
  EXPECT_EQ(guess_from(tokens, 2, 3), (Ids{3, 4, 1}));
  EXPECT_EQ(guess_from(tokens, 2, 0), (Ids{}));
  EXPECT_EQ(guess_from(tokens, 2, 9), (Ids{3, 4, 1, 2, 3, 4, 1, 2, 3}));  // goes on with itself
  EXPECT_EQ(guess_from({tokens.data(), 1}, 0, 3), (Ids{1, 1, 1}));
}

}  // namespace
}  // namespace qvl
