#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/language_model.h"

namespace qvl {
namespace {

TextConfig text_config() {
  TextConfig config;
  config.head_dim = 128;
  config.rope.rope_theta = 5e6;
  return config;
}

TextConfig yarn_config(double factor) {
  TextConfig config = text_config();
  config.rope.yarn = true;
  config.rope.factor = factor;
  config.rope.original_max_position_embeddings = 262144;
  return config;
}

TEST(Mrope, SlotsOfTheSpec) {
  const MropeTable table(text_config());
  const auto& axes = table.axes();
  ASSERT_EQ(axes.size(), 64u);
  for (size_t k = 0; k < 64; ++k) EXPECT_EQ(axes[k], k < 60 ? static_cast<int>(k % 3) : 0) << k;  // THW... TTTT
  EXPECT_EQ(std::count(axes.begin(), axes.end(), 0), 24);
  EXPECT_EQ(std::count(axes.begin(), axes.end(), 1), 20);
  EXPECT_EQ(std::count(axes.begin(), axes.end(), 2), 20);
  EXPECT_EQ(table.attention_factor(), 1.0f);
  for (int k = 0; k < 64; ++k) {
    EXPECT_FLOAT_EQ(table.inverse_frequencies()[static_cast<size_t>(k)], static_cast<float>(std::pow(5e6, -k / 64.0)));
  }
}

TEST(Mrope, UnevenSections) {
  TextConfig config = text_config();
  config.head_dim = 32;
  config.rope.mrope_section = {9, 5, 2};
  const MropeTable table(config);
  const std::vector<int> want = {0, 1, 2, 0, 1, 2, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0};
  EXPECT_EQ(table.axes(), want);
}

TEST(Mrope, EachSlotTurnsByItsAxis) {
  const MropeTable table(text_config());
  const std::vector<int32_t> positions = {7, 0, 262143, 1000, 0, 3, 20, 0, 11};  // t t t h h h w w w
  std::vector<float> cos, sin;
  table.fill(positions, cos, sin);
  ASSERT_EQ(cos.size(), 3u * 64);
  for (size_t row = 0; row < 3; ++row) {
    for (size_t k = 0; k < 64; ++k) {
      const auto p = static_cast<float>(positions[static_cast<size_t>(table.axes()[k]) * 3 + row]);
      const double angle = p * table.inverse_frequencies()[k];
      EXPECT_NEAR(cos[row * 64 + k], std::cos(angle), 1e-6);
      EXPECT_NEAR(sin[row * 64 + k], std::sin(angle), 1e-6);
    }
  }
  // Refilled for fewer rows, nothing of the last call remains.
  table.fill(std::vector<int32_t>{0, 0, 0}, cos, sin);
  EXPECT_EQ(cos, std::vector<float>(64, 1.0f));
  EXPECT_EQ(sin, std::vector<float>(64, 0.0f));
}

TEST(Mrope, YarnOfTheSpec) {
  const MropeTable plain(text_config());
  for (const auto& [factor, attention] : {std::pair{2.0, 1.069315}, {3.0, 1.109861}, {4.0, 1.138629}}) {
    const MropeTable table(yarn_config(factor));
    EXPECT_NEAR(table.attention_factor(), attention, 1e-6);
    for (size_t k = 0; k < 64; ++k) {
      const double ramp = std::clamp((static_cast<double>(k) - 29) / 16, 0.0, 1.0);
      const double base = plain.inverse_frequencies()[k];
      EXPECT_NEAR(table.inverse_frequencies()[k] / base, 1 - ramp + ramp / factor, 1e-6) << k;
    }
    // The corners: 29 is the last slot that stays, 45 the first that is wholly divided.
    EXPECT_EQ(table.inverse_frequencies()[29], plain.inverse_frequencies()[29]);
    EXPECT_LT(table.inverse_frequencies()[30], plain.inverse_frequencies()[30]);
    EXPECT_GT(table.inverse_frequencies()[44], plain.inverse_frequencies()[44] / factor * 1.01);
    EXPECT_NEAR(table.inverse_frequencies()[45], plain.inverse_frequencies()[45] / factor, 1e-12);
    EXPECT_EQ(table.axes(), plain.axes());
  }
}

TEST(Mrope, YarnScalesBothCosineAndSine) {
  TextConfig config = yarn_config(3);
  config.rope.attention_factor = 2.0;
  const MropeTable table(config);
  std::vector<float> cos, sin;
  table.fill(std::vector<int32_t>{5, 5, 5}, cos, sin);
  for (size_t k = 0; k < 64; ++k) EXPECT_NEAR(cos[k] * cos[k] + sin[k] * sin[k], 4, 1e-5);
}

// Positions to a million: the angle is the reference's float32 product, off by at most half a unit of it; the cosine and the
// sine of that angle are right to float32, however many turns it is.
TEST(Mrope, PositionsToAMillion) {
  for (const double factor : {0.0, 3.0}) {
    const MropeTable table(factor == 0 ? text_config() : yarn_config(factor));
    const std::vector<int32_t> at = {0, 1, 4095, 99999, 262143, 262144, 524287, 786431, 999999, 1048575};
    std::vector<int32_t> positions;
    for (int axis = 0; axis < 3; ++axis) positions.insert(positions.end(), at.begin(), at.end());
    std::vector<float> cos, sin;
    table.fill(positions, cos, sin);
    for (size_t row = 0; row < at.size(); ++row) {
      for (size_t k = 0; k < 64; ++k) {
        const double exact = double{table.inverse_frequencies()[k]} * at[row];
        const double rounded = static_cast<float>(exact), scale = table.attention_factor();
        EXPECT_LE(std::fabs(rounded - exact), std::ldexp(exact, -24));
        EXPECT_NEAR(cos[row * 64 + k], scale * std::cos(rounded), 2e-7) << at[row] << " slot " << k;
        EXPECT_NEAR(sin[row * 64 + k], scale * std::sin(rounded), 2e-7) << at[row] << " slot " << k;
      }
    }
  }
}

}  // namespace
}  // namespace qvl
