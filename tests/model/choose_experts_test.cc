#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "model/language_model.h"

namespace qvl {
namespace {

struct Choice {
  std::vector<int32_t> experts;
  std::vector<float> weights;
};

Choice choose(const std::vector<float>& logits, int per_token) {
  Choice out{std::vector<int32_t>(static_cast<size_t>(per_token)), std::vector<float>(static_cast<size_t>(per_token))};
  choose_experts(logits.data(), static_cast<int>(logits.size()), per_token, out.experts.data(), out.weights.data());
  return out;
}

TEST(ChooseExperts, SoftmaxOfAllThenTheBestThenNormalised) {
  const auto got = choose({0, 2, -1, 1}, 2);
  EXPECT_EQ(got.experts, (std::vector<int32_t>{1, 3}));
  const double a = std::exp(2.0), b = std::exp(1.0);
  EXPECT_NEAR(got.weights[0], a / (a + b), 1e-6);
  EXPECT_NEAR(got.weights[1], b / (a + b), 1e-6);
}

TEST(ChooseExperts, TiesGoToTheLowerIndex) {
  EXPECT_EQ(choose({1, 3, 3, 3, 0}, 2).experts, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(choose({5, 5, 5, 5}, 4).experts, (std::vector<int32_t>{0, 1, 2, 3}));
  for (const float w : choose({5, 5, 5, 5}, 4).weights) EXPECT_FLOAT_EQ(w, 0.25f);
}

TEST(ChooseExperts, AllOfThemAndOneOfOne) {
  EXPECT_EQ(choose({1, 2}, 2).experts, (std::vector<int32_t>{1, 0}));
  EXPECT_EQ(choose({-7}, 1).weights, (std::vector<float>{1}));
}

TEST(ChooseExperts, HugeLogitsStayFinite) {
  const auto got = choose({1e30f, -1e30f, 9e29f, 0}, 2);
  EXPECT_EQ(got.experts[0], 0);
  EXPECT_FLOAT_EQ(got.weights[0], 1);
  EXPECT_FLOAT_EQ(got.weights[1], 0);
}

// Damaged weights: whatever is chosen are distinct experts that exist.
TEST(ChooseExperts, NotANumberChoosesExpertsThatExist) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  std::mt19937 rng(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<float> logits(128);
    for (float& x : logits) {
      const auto kind = rng() % 8;
      x = kind == 0 ? kNan : kind == 1 ? kInf : kind == 2 ? -kInf : static_cast<float>(rng() % 100);
      if (round < 3) x = round == 0 ? kNan : round == 1 ? kInf : -kInf;
    }
    const auto got = choose(logits, 8);
    const std::set<int32_t> distinct(got.experts.begin(), got.experts.end());
    EXPECT_EQ(distinct.size(), 8u);
    EXPECT_GE(*distinct.begin(), 0);
    EXPECT_LT(*distinct.rbegin(), 128);
  }
}

TEST(ChooseExperts, AgreesWithASort) {
  std::mt19937 rng(4);
  std::normal_distribution<float> normal;
  for (int round = 0; round < 200; ++round) {
    std::vector<float> logits(61);
    for (float& x : logits) x = normal(rng);
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[static_cast<size_t>(a)] > logits[static_cast<size_t>(b)]; });
    const auto got = choose(logits, 7);
    EXPECT_EQ(got.experts, std::vector<int32_t>(order.begin(), order.begin() + 7));
    EXPECT_NEAR(std::accumulate(got.weights.begin(), got.weights.end(), 0.0), 1, 1e-6);
  }
}

}  // namespace
}  // namespace qvl
