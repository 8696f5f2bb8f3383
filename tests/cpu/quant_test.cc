// Products with int4 and int8 weights: every instruction set's table against plain sums over dequantised weights, with
// inputs that int8 holds exactly, so that nothing but float32 rounding may differ; odd sizes and guard values throughout.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "cpu/instruction_sets.h"
#include "cpu/packing.h"
#include "tests/cpu/random_numbers.h"

namespace qvl::cpu {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

// A matrix of random blocks; outputs and inputs that do not exist are random too, so that reading them shows.
struct RandomWeights {
  RandomWeights(int64_t out_count, int64_t in_count, QuantFormat f, uint32_t seed)
      : out(out_count), in(in_count), format(f), panels(at(panel_count(out)) * quant_panel_bytes(in, f)) {
    std::mt19937 rng(seed);
    for (size_t i = 0; i < panels.size(); ++i) panels.data()[i] = static_cast<std::byte>(rng() & 255u);
    std::uniform_real_distribution<float> scale(0.5e-3f, 2e-3f);
    for (int64_t i = 0; i < panel_count(out) * block_count(in); ++i) {
      if (format == QuantFormat::kInt4) {
        auto& b = panels.as<Int4Block>()[i];
        for (int lane = 0; lane < kPanel; ++lane) b.d[lane] = to_bf16(scale(rng)).bits, b.dm[lane] = to_bf16(-scale(rng)).bits;
      } else {
        for (float& d : panels.as<Int8Block>()[i].d) d = scale(rng);
      }
    }
  }
  int64_t out, in;
  QuantFormat format;
  Buffer panels;
};

struct Case {
  std::string instruction_set;
  QuantFormat format;
};

class QuantTest : public testing::TestWithParam<Case> {
 protected:
  QuantTest() : table_(choose_instruction_set(GetParam().instruction_set).table) {}

  std::vector<float> product(const RandomWeights& w, const std::vector<float>& x, int64_t rows, Finish finish,
                             const std::vector<float>& bias, std::vector<float> c) const {
    Buffer inputs(at((rows * block_count(w.in) + kInputSlack) * table_->input_block_bytes[static_cast<int>(w.format)]));
    table_->quantize(x.data(), w.in, rows, w.in, w.format, inputs.data(), rows);
    // In two pieces, as threads would take them.
    const int64_t panels = panel_count(w.out), middle = panels / 2;
    for (const auto& [begin, end] : {std::pair{int64_t{0}, middle}, std::pair{middle, panels}}) {
      if (begin == end) continue;
      table_->product_quant({.inputs = inputs.data(), .rows = rows, .stride = rows, .panels = w.panels.data(), .format = w.format, .in = w.in,
                             .panel_begin = begin, .panel_end = end, .c = c.data(), .ldc = w.out, .out = w.out,
                             .bias = bias.empty() ? nullptr : bias.data(), .finish = finish});
    }
    return c;
  }

  const KernelTable* table_;
};

TEST_P(QuantTest, ProductsOfExactInputs) {
  constexpr float kGuard = 4711.0f;
  const int64_t shapes[][2] = {{16, 256}, {1, 1}, {17, 33}, {48, 512}, {100, 300}, {40, 1152}, {129, 64}, {33, 4304 / 4}};
  for (const auto& [out, in] : shapes) {
    const RandomWeights w(out, in, GetParam().format, 1);
    std::vector<std::vector<float>> rows_of(at(out), std::vector<float>(at(in)));
    for (int64_t o = 0; o < out; ++o) dequantise_row(w.panels.data(), w.format, in, o, rows_of[at(o)].data());
    const auto bias = random_floats(out, 2);
    for (const int64_t rows : {1, 2, 3, 4, 5, 7, 13, 24, 67, 250}) {
      const auto x = exact_inputs(rows, in, 3);
      std::vector<float> before = random_floats(rows * out, 4);
      before.resize(before.size() + 64, kGuard);
      for (const auto finish : {Finish::kStore, Finish::kAdd}) {
        const auto got = product(w, x, rows, finish, bias, before);
        for (size_t i = at(rows * out); i < got.size(); ++i) ASSERT_EQ(got[i], kGuard);
        for (int64_t i = 0; i < rows * out; ++i) {
          const int64_t r = i / out, o = i % out;
          double want = bias[at(o)] + (finish == Finish::kAdd ? before[at(i)] : 0), size = 1;
          for (int64_t k = 0; k < in; ++k) {
            const double term = double{x[at(r * in + k)]} * rows_of[at(o)][at(k)];
            want += term, size += std::fabs(term);
          }
          // Inputs of 15 bits round whole numbers of 127 to half of 1/65534.
          ASSERT_NEAR(got[at(i)], want, 2e-5 * size) << out << "x" << in << ", " << rows << " rows, element " << i;
        }
      }
    }
  }
}

// The error of rounding inputs: below half a step of 1/127 of each block's largest value.
TEST_P(QuantTest, InputsAreRoundedToNearest) {
  const int64_t out = 35, in = 700, rows = 5;
  const RandomWeights w(out, in, GetParam().format, 5);
  auto x = random_floats(rows * in, 6);
  x[3] = 60;  // an outlier costs its own block only
  const auto got = product(w, x, rows, Finish::kStore, {}, std::vector<float>(at(rows * out)));
  std::vector<float> weights(at(in));
  for (int64_t o = 0; o < out; ++o) {
    dequantise_row(w.panels.data(), w.format, in, o, weights.data());
    for (int64_t r = 0; r < rows; ++r) {
      double want = 0, worst = 1e-4;
      for (int64_t k = 0; k < in; ++k) {
        const int64_t block = k / kBlockInputs * kBlockInputs;
        float top = 0;
        for (int64_t i = block; i < std::min(block + kBlockInputs, in); ++i) top = std::max(top, std::fabs(x[at(r * in + i)]));
        want += double{x[at(r * in + k)]} * weights[at(k)];
        worst += 0.51 / 127 * top * std::fabs(weights[at(k)]);
      }
      EXPECT_LE(std::fabs(got[at(r * out + o)] - want), worst) << r << ", " << o;
    }
  }
}

TEST_P(QuantTest, RowsAreIndependent) {
  const int64_t out = 70, in = 700, rows = 61;
  const RandomWeights w(out, in, GetParam().format, 7);
  const auto x = random_floats(rows * in, 8);
  const auto all = product(w, x, rows, Finish::kStore, {}, std::vector<float>(at(rows * out)));
  for (const int64_t count : {1, 2, 3, 4, 5, 6, 9, 17}) {
    const std::vector<float> last(x.end() - count * in, x.end());
    const auto some = product(w, last, count, Finish::kStore, {}, std::vector<float>(at(count * out)));
    for (int64_t i = 0; i < count * out; ++i) ASSERT_EQ(some[at(i)], all[at((rows - count) * out + i)]) << count << " rows, " << i;
  }
}

TEST_P(QuantTest, WhatIsNotFiniteStaysInItsRow) {
  const int64_t out = 20, in = 300, rows = 9;
  const RandomWeights w(out, in, GetParam().format, 9);
  auto x = random_floats(rows * in, 10);
  const auto clean = product(w, x, rows, Finish::kStore, {}, std::vector<float>(at(rows * out)));
  x[at(2 * in + 280)] = std::nanf(""), x[at(5 * in)] = INFINITY;
  std::fill_n(x.begin() + 7 * in, in, 1e-38f);  // and what is nearly zero gives nearly zero
  const auto got = product(w, x, rows, Finish::kStore, {}, std::vector<float>(at(rows * out)));
  for (int64_t i = 0; i < rows * out; ++i) {
    const int64_t r = i / out;
    if (r == 2 || r == 5) {
      EXPECT_FALSE(std::isfinite(got[at(i)])) << i;
    } else if (r == 7) {
      EXPECT_NEAR(got[at(i)], 0, 1e-30) << i;
    } else {
      EXPECT_EQ(got[at(i)], clean[at(i)]) << i;
    }
  }
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const auto& set : runnable_instruction_sets()) {
    for (const auto format : {QuantFormat::kInt4, QuantFormat::kInt8}) out.push_back({set.name, format});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Sets, QuantTest, testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param.instruction_set + (test.param.format == QuantFormat::kInt4 ? "_int4" : "_int8");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace qvl::cpu
