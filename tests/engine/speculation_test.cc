#include "engine/speculation.h"

#include <gtest/gtest.h>

#include <random>

namespace qvl {
namespace {

// A machine whose passes take base * (1 + slope * extra).
PassCost machine(double slope, double base_ms = 50) {
  PassCost cost;
  for (int i = 0; i < 20; ++i) cost.record(0, base_ms);
  for (int i = 0; i < 20; ++i) {
    for (const int extra : {1, 4, 8}) cost.record(extra, base_ms * (1 + slope * extra));
  }
  return cost;
}

int choose(const GuessPolicy& policy, const PassCost& cost, int matched, int available = 15, double others = 0) {
  return policy.choose(matched, available, others, [&](int k) { return cost.of(k); });
}

GuessPolicy after(int context, int rights, int wrongs) {
  GuessPolicy policy;
  for (int i = 0; i < rights; ++i) policy.learn(context, true);
  for (int i = 0; i < wrongs; ++i) policy.learn(context, false);
  return policy;
}

TEST(PassCost, LearnsTheMachine) {
  EXPECT_FALSE(PassCost().known());
  for (const double slope : {0.02, 0.1, 0.35, 0.9}) {
    const PassCost cost = machine(slope);
    EXPECT_TRUE(cost.known());
    for (const int extra : {1, 2, 4, 8, 12}) EXPECT_NEAR(cost.of(extra), 1 + slope * extra, 0.1 * slope * extra + 0.02) << slope << " " << extra;
    EXPECT_EQ(cost.of(0), 1);
  }
}

TEST(PassCost, StepsAreKnownWhereTheyWereMeasured) {
  PassCost cost;
  cost.record(0, 10);
  for (int i = 0; i < 50; ++i) {
    cost.record(3, 13);  // as cheap as one row less would be
    cost.record(4, 30);
  }
  EXPECT_LT(cost.of(3), 1.6);
  EXPECT_GT(cost.of(4), 2.4);
}

TEST(PassCost, OneHiccupChangesLittle) {
  PassCost cost = machine(0.1);
  cost.record(4, 5000);
  EXPECT_LT(cost.of(4), 1.75);
  cost.record(0, 5000);
  for (int i = 0; i < 5; ++i) cost.record(0, 50);
  EXPECT_NEAR(cost.of(8), 1.8, 0.3);
}

TEST(PassCost, WithMoreAnswersARowMoreWeighsLess) { EXPECT_LT(PassCost(4).of(2), PassCost(1).of(2)); }

TEST(PassCost, TooManyRowsAreAnEstimate) {
  PassCost cost = machine(0.1);
  cost.record(kMostGuessRows, 100);
  cost.record(1000, 100);
  EXPECT_NEAR(cost.of(100), 11, 1);
}

TEST(GuessPolicy, LearnsHowOftenGuessesAreRight) {
  EXPECT_GT(after(2, 30, 0).chance(2), 0.85);
  EXPECT_LT(after(8, 0, 30).chance(8), 0.15);
  EXPECT_EQ(after(2, 30, 0).chance(3), GuessPolicy().chance(3));  // each length of context by itself
  EXPECT_EQ(after(9, 0, 5).chance(16), after(16, 0, 5).chance(9));
  EXPECT_GT(after(4, 0, 100).chance(4), 0);
  // The last ones count: a table after a page of prose.
  GuessPolicy policy = after(4, 0, 200);
  for (int i = 0; i < 30; ++i) policy.learn(4, true);
  EXPECT_GT(policy.chance(4), 0.7);
}

TEST(GuessPolicy, GuessesOnlyWhatPays) {
  const PassCost cheap = machine(0.02), usual = machine(0.35), dear = machine(0.95);
  const GuessPolicy good = after(8, 40, 0), bad = after(8, 0, 40);
  EXPECT_GE(choose(good, cheap, 8), 12);
  EXPECT_GE(choose(good, usual, 8), 4);
  EXPECT_EQ(choose(bad, usual, 8), 0);
  EXPECT_EQ(choose(bad, dear, 8), 0);
  EXPECT_EQ(choose(GuessPolicy(), dear, 4), 0);
  EXPECT_LT(choose(after(8, 40, 10), usual, 8), choose(good, usual, 8) + 1);
  EXPECT_EQ(choose(good, cheap, 8, 3), 3);
  EXPECT_EQ(choose(good, cheap, 8, 0), 0);
}

// Tokens of other answers wait for a longer pass: with many of them a guess must be better.
TEST(GuessPolicy, OthersWaitToo) {
  const GuessPolicy fair = after(8, 12, 8);
  const PassCost cost = machine(0.3);
  EXPECT_GT(choose(fair, cost, 8), 0);
  EXPECT_EQ(choose(fair, cost, 8, 15, 3), 0);
}

TEST(GuessPolicy, TheExpectationIsThatOfItsChances) {
  const GuessPolicy policy = after(3, 3, 3);
  EXPECT_EQ(policy.expected_tokens(3, 0), 1);
  EXPECT_DOUBLE_EQ(policy.expected_tokens(2, 2), 1 + policy.chance(2) + policy.chance(2) * policy.chance(3));
}

// A request of which a share of the guesses is right, in simulated time: never much slower than without, faster where it can be.
double gain(double right, double slope) {
  std::mt19937 rng(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  PassCost cost;
  GuessPolicy policy;
  cost.record(0, 50);
  double tokens = 0, passes = 0;
  for (int step = 0; step < 600; ++step) {
    const int k = choose(policy, cost, 4);
    cost.record(k, 50 * (1 + slope * k) * (0.95 + 0.1 * uniform(rng)));
    passes += 1 + slope * k;
    for (int i = 0;; ++i) {
      ++tokens;
      const bool is_right = uniform(rng) < right;
      policy.learn(4 + i, is_right);
      if (!is_right || i >= k) break;
    }
  }
  return tokens / passes;
}

TEST(GuessPolicy, OverARequest) {
  for (const double slope : {0.02, 0.1, 0.35, 0.9}) {
    for (const double right : {0.0, 0.1, 0.3, 0.6}) EXPECT_GT(gain(right, slope), 0.96) << right << " " << slope;
  }
  EXPECT_GT(gain(0.95, 0.1), 3.5);
  EXPECT_GT(gain(0.8, 0.1), 2);
  EXPECT_GT(gain(0.9, 0.35), 1.5);
}

}  // namespace
}  // namespace qvl
