#include "model/rope_positions.h"

#include <gtest/gtest.h>

#include <random>

namespace qvl {
namespace {

std::vector<int32_t> axis(const RopePositions& p, size_t index) {
  const size_t n = p.ids.size() / 3;
  return {p.ids.begin() + static_cast<std::ptrdiff_t>(index * n), p.ids.begin() + static_cast<std::ptrdiff_t>((index + 1) * n)};
}

TEST(RopePositions, TheVectorOfTheSpec) {
  // 5 text, a picture of 4 x 6 patches, 7 text, two groups of 4 x 4 patches with 4 text between, 3 text (spec 6.4)
  const std::vector<VisualRun> runs = {{5, 2, 3}, {18, 2, 2}, {26, 2, 2}};
  const auto got = rope_positions(33, runs);
  const std::vector<int32_t> t = {0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15, 15,
                                  17, 18, 19, 20, 21, 21, 21, 21, 23, 24, 25};
  const std::vector<int32_t> h = {0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 8, 9, 10, 11, 12, 13, 14, 15, 15, 16, 16,
                                  17, 18, 19, 20, 21, 21, 22, 22, 23, 24, 25};
  const std::vector<int32_t> w = {0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 15, 16,
                                  17, 18, 19, 20, 21, 22, 21, 22, 23, 24, 25};
  EXPECT_EQ(axis(got, 0), t);
  EXPECT_EQ(axis(got, 1), h);
  EXPECT_EQ(axis(got, 2), w);
  EXPECT_EQ(got.rope_delta, -7);
}

TEST(RopePositions, TextAloneCounts) {
  const auto got = rope_positions(4, {});
  for (size_t a = 0; a < 3; ++a) EXPECT_EQ(axis(got, a), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(got.rope_delta, 0);
  EXPECT_TRUE(rope_positions(0, {}).ids.empty());
}

TEST(RopePositions, PicturesAtBothEnds) {
  const auto got = rope_positions(7, std::vector<VisualRun>{{0, 1, 3}, {4, 3, 1}});
  EXPECT_EQ(axis(got, 0), (std::vector<int32_t>{0, 0, 0, 3, 4, 4, 4}));
  EXPECT_EQ(axis(got, 1), (std::vector<int32_t>{0, 0, 0, 3, 4, 5, 6}));
  EXPECT_EQ(axis(got, 2), (std::vector<int32_t>{0, 1, 2, 3, 4, 4, 4}));
  EXPECT_EQ(got.rope_delta, 0);
}

TEST(RopePositions, OneCellIsLikeText) {
  const auto got = rope_positions(3, std::vector<VisualRun>{{1, 1, 1}});
  for (size_t a = 0; a < 3; ++a) EXPECT_EQ(axis(got, a), (std::vector<int32_t>{0, 1, 2}));
}

TEST(RopePositions, RunsThatDoNotFitAreRefused) {
  EXPECT_THROW(rope_positions(5, std::vector<VisualRun>{{0, 2, 3}}), std::logic_error);            // past the end
  EXPECT_THROW(rope_positions(9, std::vector<VisualRun>{{0, 2, 3}, {5, 1, 1}}), std::logic_error);  // overlapping
  EXPECT_THROW(rope_positions(9, std::vector<VisualRun>{{4, 1, 1}, {1, 1, 1}}), std::logic_error);  // not ascending
}

// Properties of the rule on random layouts: text continues after the largest position, delta says where decoding goes on.
TEST(RopePositions, RandomLayouts) {
  std::mt19937 rng(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<VisualRun> runs;
    int64_t tokens = 0;
    for (int i = 0; i < 5; ++i) {
      tokens += static_cast<int64_t>(rng() % 4) + 1;
      const int rows = static_cast<int>(rng() % 5) + 1, columns = static_cast<int>(rng() % 7) + 1;
      runs.push_back({tokens, rows, columns});
      tokens += int64_t{rows} * columns;
    }
    tokens += static_cast<int64_t>(rng() % 3);
    const auto got = rope_positions(tokens, runs);
    const int32_t largest = *std::max_element(got.ids.begin(), got.ids.end());
    EXPECT_EQ(largest + 1, tokens + got.rope_delta);
    const auto t = axis(got, 0), h = axis(got, 1), w = axis(got, 2);
    for (const auto& run : runs) {
      for (int64_t i = 0; i < int64_t{run.rows} * run.columns; ++i) {
        const auto at = static_cast<size_t>(run.token_begin + i), before = static_cast<size_t>(run.token_begin - 1);
        EXPECT_EQ(t[at], t[before] + 1);
        EXPECT_EQ(h[at] - t[at], i / run.columns);
        EXPECT_EQ(w[at] - t[at], i % run.columns);
      }
      const auto after = static_cast<size_t>(run.token_begin + int64_t{run.rows} * run.columns);
      if (after < t.size() && t[after] == h[after] && t[after] == w[after]) {
        EXPECT_EQ(t[after], t[after - 1] + std::max(run.rows, run.columns));
      }
    }
  }
}

}  // namespace
}  // namespace qvl
