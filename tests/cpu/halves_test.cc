// int8 in halves: the format, and every instruction set's products with it against plain sums over the weights it holds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/cpu_backend.h"
#include "cpu/cpu_linear.h"
#include "cpu/instruction_sets.h"
#include "cpu/quantise.h"
#include "cpu/self_test.h"
#include "tests/cpu/random_numbers.h"

namespace qvl::cpu {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

struct Matrix {
  Matrix(int64_t out_count, int64_t in_count, std::vector<float> weights)
      : out(out_count), in(in_count), values(std::move(weights)), packed(matrix_bytes(out, in, PanelFormat::kHalves)) {
    const ConstTensorView view{reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {out, in}};
    quantise_halves({&view, 1}, 0, panel_count(out), packed.data(), lower());
  }
  std::byte* lower() { return packed.data() + high_bytes(out, in); }
  std::vector<float> row(int64_t output) const {
    std::vector<float> held(at(in));
    dequantise_halves(packed.data(), out, in, output, held.data());
    return held;
  }
  int64_t out, in;
  std::vector<float> values;
  Buffer packed;
};

TEST(Halves, HoldWeightsToHalfAStep) {
  for (const int64_t out : {1, 16, 19, 40}) {
    for (const int64_t in : {1, 100, 256, 300, 1152}) {
      const Matrix m(out, in, random_floats(out * in, static_cast<uint32_t>(out + in), 0.02f));
      for (int64_t o = 0; o < out; ++o) {
        const auto held = m.row(o);
        for (int64_t i = 0; i < in; ++i) {
          float top = 0;
          for (int64_t k = i / kBlockInputs * kBlockInputs; k < std::min(in, (i / kBlockInputs + 1) * kBlockInputs); ++k) {
            top = std::max(top, std::fabs(m.values[at(o * in + k)]));
          }
          ASSERT_NEAR(held[at(i)], m.values[at(o * in + i)], 0.501f * top / 119) << out << "x" << in << ", " << o << ", " << i;
        }
      }
    }
  }
}

class HalvesTest : public testing::TestWithParam<std::string> {
 protected:
  HalvesTest()
      : table_(choose_instruction_set(GetParam()).table),
        backend_(make_cpu_backend({.threads = 2, .precision = Precision::kBFloat16, .instruction_set = GetParam()})) {}

  std::unique_ptr<Linear> pack(const Matrix& m) {
    const ConstTensorView view{reinterpret_cast<const std::byte*>(m.values.data()), DType::kF32, {m.out, m.in}};
    return backend_->pack_linear({&view, 1}, {}, WeightFormat::kInt8Halves);
  }
  std::vector<float> linear(const Linear& w, const std::vector<float>& x, std::span<const BestOf> best = {}) {
    const int64_t rows = std::ssize(x) / w.in_features;
    std::vector<float> y(at(rows * w.out_features) + 64, kGuard);
    if (best.empty()) {
      backend_->ops().linear(w, x.data(), rows, y.data());
    } else {
      backend_->ops().linear_best(w, x.data(), rows, y.data(), best);
    }
    for (size_t i = at(rows * w.out_features); i < y.size(); ++i) EXPECT_EQ(y[i], kGuard);
    y.resize(at(rows * w.out_features));
    return y;
  }

  static constexpr float kGuard = 4711.0f;
  const KernelTable* table_;
  std::unique_ptr<Backend> backend_;
};

TEST_P(HalvesTest, ProductsOfExactInputs) {
  const int64_t shapes[][2] = {{16, 256}, {1, 1}, {17, 33}, {100, 300}, {129, 64}, {40, 1152}};
  for (const auto& [out, in] : shapes) {
    const Matrix m(out, in, random_floats(out * in, 1, 0.02f));
    const auto w = pack(m);
    for (const int64_t rows : {1, 2, 5, 12, 13, 30}) {
      const auto x = exact_inputs(rows, in, 2);
      const auto y = linear(*w, x);
      for (int64_t o = 0; o < out; ++o) {
        const auto held = m.row(o);
        for (int64_t r = 0; r < rows; ++r) {
          double want = 0, size = 1;
          for (int64_t i = 0; i < in; ++i) want += double{held[at(i)]} * x[at(r * in + i)], size += std::fabs(double{held[at(i)]} * x[at(r * in + i)]);
          ASSERT_NEAR(y[at(r * out + o)], want, 2e-6 * size) << out << "x" << in << ", row " << r << ", output " << o;
        }
      }
    }
  }
}

// What the upper halves give is off by less than they say, and they do not say much more than that.
TEST_P(HalvesTest, TheUpperHalvesKnowHowFarTheyAreOff) {
  constexpr int64_t kOut = 1000, kIn = 600, kRows = 3;
  auto weights = random_floats(kOut * kIn, 3, 0.02f);
  for (int64_t i = 0; i < kIn; ++i) weights[at(7 * kIn + i)] *= 0.3f;
  weights[at(7 * kIn + 5)] = 2;  // leaves little of the others in its block
  std::fill_n(weights.begin() + 9 * kIn, kIn, 0.0f);
  const Matrix m(kOut, kIn, std::move(weights));
  const auto x = random_floats(kRows * kIn, 4);
  const auto exact = linear(*pack(m), x);
  Buffer inputs(at((kRows * block_count(kIn) + kInputSlack)) * sizeof(InputBlock));
  table_->quantize(x.data(), kIn, kRows, kIn, QuantFormat::kInt4, inputs.data(), kRows);
  std::vector<float> energy;
  for (int64_t i = 0; i < kRows * block_count(kIn); ++i) {
    const InputBlock& block = inputs.as<InputBlock>()[i];
    energy.push_back(block.scale * block.scale * std::inner_product(block.q, block.q + kBlockInputs, block.q, 0.0f));
  }
  std::vector<float> y(at(kRows * kOut)), reach(at(kRows * kOut));
  table_->product_high({.inputs = inputs.data(), .rows = kRows, .stride = kRows, .energy = energy.data(), .panels = m.packed.data(), .in = kIn,
                        .panel_begin = 0, .panel_end = panel_count(kOut), .y = y.data(), .reach = reach.data(), .ldy = kOut, .out = kOut});
  double squares = 0;
  for (int64_t i = 0; i < kRows * kOut; ++i) {
    const float off = std::fabs(y[at(i)] - exact[at(i)]);
    ASSERT_LE(off, reach[at(i)]) << i;
    if (i % kOut == 7) {
      EXPECT_GT(reach[at(i)], 1e6f);
    } else if (i % kOut == 9) {
      EXPECT_EQ(reach[at(i)], 0);
    } else {
      squares += double{off} * off / (double{reach[at(i)]} * reach[at(i)]);
    }
  }
  EXPECT_NEAR(std::sqrt(squares / (kRows * (kOut - 2))) * 6, 1, 0.1);  // six deviations
}

TEST_P(HalvesTest, TheBestAreExactAndTheOthersBelow) {
  constexpr int64_t kOut = 9001, kIn = 300, kRows = 3;
  const Matrix m(kOut, kIn, random_floats(kOut * kIn, 5, 0.02f));
  const auto w = pack(m);
  EXPECT_LT(w->best_bytes(), 0.55 * static_cast<double>(w->packed_bytes()));
  const auto x = random_floats(kRows * kIn, 6);
  const auto exact = linear(*w, x);
  const std::vector<BestOf> best = {{.count = 5, .within = 0, .outputs = 0}, {.count = 1, .within = 0.1f, .outputs = 0}, {.count = 3, .within = 0, .outputs = 4000}};
  const auto y = linear(*w, x, best);
  for (int64_t r = 0; r < kRows; ++r) {
    const int64_t outputs = best[at(r)].outputs > 0 ? best[at(r)].outputs : kOut;
    std::vector<float> sorted(exact.begin() + r * kOut, exact.begin() + r * kOut + outputs);
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    const float least = sorted[at(best[at(r)].count - 1)] - best[at(r)].within;
    int64_t rough = 0;
    for (int64_t o = 0; o < outputs; ++o) {
      const float got = y[at(r * kOut + o)], want = exact[at(r * kOut + o)];
      if (want >= least) {
        ASSERT_EQ(got, want) << r << ", " << o;
      } else {
        ASSERT_LT(got, least) << r << ", " << o;
        rough += got != want;
      }
    }
    EXPECT_GT(rough, outputs / 2);  // that is the point
  }
  // More than blocks of outputs can bound: all are exact.
  const std::vector<BestOf> all = {{.count = 5000, .within = 0, .outputs = 0}, {}, {.count = 1, .within = 1e9f, .outputs = 0}};
  EXPECT_EQ(linear(*w, x, all), exact);
}

TEST_P(HalvesTest, RowsAreIndependent) {
  constexpr int64_t kOut = 700, kIn = 300, kRows = 14;
  const auto w = pack(Matrix(kOut, kIn, random_floats(kOut * kIn, 7, 0.02f)));
  auto x = random_floats(kRows * kIn, 8);
  std::fill_n(x.begin() + 2 * kIn, kIn, 0.0f);
  const std::vector<BestOf> best(at(kRows), BestOf{.count = 2, .within = 0, .outputs = 0});
  const auto together = linear(*w, x, best);
  for (int64_t r = 0; r < kRows; ++r) {
    const auto alone = linear(*w, {x.begin() + r * kIn, x.begin() + (r + 1) * kIn}, std::span(best).first(1));
    ASSERT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + r * kOut)) << r;
  }
  x[at(5 * kIn + 3)] = std::nanf("");
  const auto with_nan = linear(*w, x, best);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t o = 0; o < kOut; ++o) {
      if (r == 5) {
        ASSERT_TRUE(std::isnan(with_nan[at(r * kOut + o)]));
      } else {
        ASSERT_EQ(with_nan[at(r * kOut + o)], together[at(r * kOut + o)]);
      }
    }
  }
}

TEST_P(HalvesTest, RowsOfTheTable) {
  const Matrix m(40, 300, random_floats(40 * 300, 9, 0.02f));
  const auto w = pack(m);
  const std::vector<int32_t> ids = {39, 0, 16, 16};
  std::vector<float> rows(ids.size() * 300);
  backend_->ops().gather_rows(*w, ids, rows.data());
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(std::vector<float>(rows.begin() + static_cast<std::ptrdiff_t>(300 * i), rows.begin() + static_cast<std::ptrdiff_t>(300 * (i + 1))), m.row(ids[i]));
  }
}

// A set that fails its test at start would be left for a slower one.
TEST(SelfTest, EverySetPasses) {
  for (const auto& set : runnable_instruction_sets()) EXPECT_EQ(self_test(*set.table), "") << set.name;
}

std::vector<std::string> sets() {
  std::vector<std::string> names;
  for (const auto& set : runnable_instruction_sets()) names.push_back(set.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Sets, HalvesTest, testing::ValuesIn(sets()), [](const auto& test) {
  std::string name = test.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace qvl::cpu
