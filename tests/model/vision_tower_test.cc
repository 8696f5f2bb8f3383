#include "model/vision_tower.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

TEST(PositionAxis, CornersMeetAndTheMiddleIsSymmetric) {
  for (const int side : {16, 32, 48}) {
    for (const int n : {2, 3, 4, 7, 10, 16, 47, 48, 50, 62, 127}) {
      const PositionAxis axis = position_axis(side, n);
      ASSERT_EQ(axis.low.size(), static_cast<size_t>(n));
      EXPECT_EQ(axis.low.front(), 0);
      EXPECT_EQ(axis.fraction.front(), 0);
      EXPECT_EQ(axis.low.back(), side - 1);
      EXPECT_EQ(axis.high.back(), side - 1);
      EXPECT_EQ(axis.fraction.back(), 0);
      for (size_t i = 0; i < axis.low.size(); ++i) {
        EXPECT_GE(axis.low[i], 0);
        EXPECT_LT(axis.high[i], side);
        EXPECT_TRUE(axis.high[i] == axis.low[i] + 1 || axis.high[i] == side - 1);
        EXPECT_GE(axis.fraction[i], 0);
        EXPECT_LT(axis.fraction[i], 1);
        const double u = axis.low[i] + double{axis.fraction[i]}, want = static_cast<double>(i) * (side - 1) / (n - 1);
        EXPECT_NEAR(u, want, 1e-5) << side << " " << n << " " << i;
        const size_t mirror = axis.low.size() - 1 - i;
        EXPECT_NEAR(u + axis.low[mirror] + double{axis.fraction[mirror]}, side - 1, 1e-5);
      }
    }
  }
}

TEST(PositionAxis, OwnSizeIsTheTableAndOneIsItsFirst) {
  const PositionAxis axis = position_axis(48, 48);
  for (size_t i = 0; i < 48; ++i) EXPECT_EQ(static_cast<float>(axis.low[i]) + axis.fraction[i], static_cast<float>(i));
  const PositionAxis one = position_axis(16, 1);
  EXPECT_EQ(one.low, std::vector<int>{0});
  EXPECT_EQ(one.fraction, std::vector<float>{0});
}

TEST(PatchOrder, BlocksOfTwoByTwo) {
  const auto order = patch_order(4, 6, 2);
  const std::vector<std::array<int, 2>> first_row_of_blocks = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {0, 2}, {0, 3},
                                                               {1, 2}, {1, 3}, {0, 4}, {0, 5}, {1, 4}, {1, 5}};
  ASSERT_EQ(order.size(), 24u);
  EXPECT_TRUE(std::equal(first_row_of_blocks.begin(), first_row_of_blocks.end(), order.begin()));
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(order[12 + i], (std::array{order[i][0] + 2, order[i][1]}));
}

bool same(const VisionFeatures& a, const VisionFeatures& b) {
  return a.tokens == b.tokens && a.embeds == b.embeds && a.deepstack == b.deepstack;
}

double largest_difference(const VisionFeatures& a, const VisionFeatures& b) {
  double worst = 0;
  const auto compare = [&](const std::vector<float>& x, const std::vector<float>& y) {
    ASSERT_EQ(x.size(), y.size());
    for (size_t i = 0; i < x.size(); ++i) worst = std::max(worst, std::abs(double{x[i]} - y[i]));
  };
  compare(a.embeds, b.embeds);
  EXPECT_EQ(a.deepstack.size(), b.deepstack.size());
  for (size_t j = 0; j < a.deepstack.size(); ++j) compare(a.deepstack[j], b.deepstack[j]);
  return worst;
}

class VisionTowerTest : public ::testing::TestWithParam<const char*> {
 protected:
  MadeVisual made(const ModelConfig& config, const Grid& grid, uint64_t seed) {
    return PromptMaker(config, seed).visual(grid).done().visuals[0];
  }
};

TEST_P(VisionTowerTest, TheSamePictureTwiceIsTheSame) {
  auto tiny = load_tiny(GetParam());
  const auto a = made(tiny.model->config, {1, 6, 10}, 1), other = made(tiny.model->config, {1, 8, 4}, 2);
  const auto first = tiny.model->vision.forward(a.grid, a.patches);
  EXPECT_EQ(first.tokens, 15);
  EXPECT_EQ(first.deepstack.size(), 3u);
  const auto between = tiny.model->vision.forward(other.grid, other.patches);
  EXPECT_FALSE(same(first, between));
  EXPECT_TRUE(same(first, tiny.model->vision.forward(a.grid, a.patches)));
}

// Two runs whose pieces alternate share nothing but scratch, and pieces of any size give the same bits.
TEST_P(VisionTowerTest, RunsMayAlternateInPiecesOfAnySize) {
  auto tiny = load_tiny(GetParam());
  VisionTower& tower = tiny.model->vision;
  const auto a = made(tiny.model->config, {1, 38, 54}, 1), b = made(tiny.model->config, {5, 4, 4}, 2);
  const auto want_a = tower.forward(a.grid, a.patches), want_b = tower.forward(b.grid, b.patches);
  const double group_macs = 16.0 * 16 * 2 * tower.config().hidden_size;
  for (const double macs : {0.0, 1.5 * group_macs / tower.config().num_heads, 2.5 * group_macs, 1e18}) {
    VisionTower::Run run_a(tower, a.grid, a.patches), run_b(tower, b.grid, b.patches);
    while (!run_a.done() || !run_b.done()) {
      if (!run_a.done()) run_a.step(macs);
      if (!run_b.done()) run_b.step(macs);
    }
    EXPECT_EQ(run_a.blocks(), tower.config().depth + 1);
    EXPECT_TRUE(same(run_a.take(), want_a)) << macs;
    EXPECT_TRUE(same(run_b.take(), want_b)) << macs;
  }
}

// A temporal group's features depend on its own patches only, to the bit.
TEST_P(VisionTowerTest, GroupsOfAVideoDoNotSeeEachOther) {
  auto tiny = load_tiny(GetParam());
  const Grid grid{3, 4, 6}, one{1, 4, 6};
  const auto video = made(tiny.model->config, grid, 3);
  const auto whole = tiny.model->vision.forward(grid, video.patches);
  const size_t patches = video.patches.size() / 3, values = whole.embeds.size() / 3;
  for (size_t group = 0; group < 3; ++group) {
    const auto alone = tiny.model->vision.forward(one, std::span(video.patches).subspan(group * patches, patches));
    const auto part = [&](const std::vector<float>& all) {
      return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(group * values),
                                all.begin() + static_cast<std::ptrdiff_t>((group + 1) * values));
    };
    EXPECT_EQ(part(whole.embeds), alone.embeds) << group;
    for (size_t j = 0; j < 3; ++j) EXPECT_EQ(part(whole.deepstack[j]), alone.deepstack[j]) << group;
  }
}

// A picture turned on its side is not the same picture: rows and columns are not mixed up anywhere.
TEST_P(VisionTowerTest, RowsAreNotColumns) {
  auto tiny = load_tiny(GetParam());
  const auto wide = made(tiny.model->config, {1, 4, 8}, 4);
  const auto a = tiny.model->vision.forward({1, 4, 8}, wide.patches), b = tiny.model->vision.forward({1, 8, 4}, wide.patches);
  EXPECT_GT(largest_difference(a, b), 1e-2);
}

TEST_P(VisionTowerTest, BackendsAgree) {
  auto reference = load_tiny(GetParam(), make_ref_backend());
  const auto picture = made(reference.model->config, {1, 6, 10}, 5), video = made(reference.model->config, {2, 4, 6}, 6);
  for (const int threads : {1, 3}) {
    auto fast = load_tiny(GetParam(), Precision::kFloat32, threads);
    auto rounded = load_tiny(GetParam(), Precision::kBFloat16, threads);
    for (const auto* v : {&picture, &video}) {
      const auto want = reference.model->vision.forward(v->grid, v->patches);
      EXPECT_LT(largest_difference(want, fast.model->vision.forward(v->grid, v->patches)), 1e-4);
      EXPECT_LT(largest_difference(want, rounded.model->vision.forward(v->grid, v->patches)), 0.2);
    }
  }
}

TEST_P(VisionTowerTest, WrongGridsAreRefused) {
  auto tiny = load_tiny(GetParam());
  const auto v = made(tiny.model->config, {1, 4, 4}, 7);
  for (const Grid grid : {Grid{0, 4, 4}, Grid{1, 3, 4}, Grid{1, 4, 5}, Grid{1, 4, 6}, Grid{2, 4, 4}, Grid{1, -4, -4}}) {
    EXPECT_THROW(tiny.model->vision.forward(grid, v.patches), std::logic_error);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, VisionTowerTest, ::testing::Values("tiny-untied", "tiny-moe"), [](const auto& row) {
  return std::string(row.param).substr(5);
});

}  // namespace
}  // namespace qvl
