// Rounding with the inputs in mind: outputs nearer than by rounding to nearest where inputs move together, the same bits where they do not, odd shapes,
// useless sums; and the sums themselves against plain loops.
#include "cpu/compensation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cpu/cpu_backend.h"
#include "cpu/cpu_linear.h"
#include "cpu/moments.h"
#include "cpu/packing.h"
#include "cpu/quantise.h"
#include "tests/cpu/random_numbers.h"

namespace qvl::cpu {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

// Rows of inputs that are mixtures of a few hidden ones, of very different sizes, with a little noise.
std::vector<float> correlated(int64_t rows, int64_t in, uint32_t seed) {
  const int64_t hidden = std::max<int64_t>(1, in / 4);
  const auto mix = random_floats(in * hidden, seed), source = random_floats(rows * hidden, seed + 1), noise = random_floats(rows * in, seed + 2, 0.3f),
             sizes = random_floats(in, seed + 3);
  std::vector<float> x(at(rows * in));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < in; ++i) {
      float sum = noise[at(r * in + i)];
      for (int64_t h = 0; h < hidden; ++h) sum += mix[at(i * hidden + h)] * source[at(r * hidden + h)];
      x[at(r * in + i)] = sum * std::exp(sizes[at(i)]);
    }
  }
  return x;
}

struct Case {
  Case(int64_t outputs, int64_t inputs) : out(outputs), in(inputs), weights(random_floats(outputs * inputs, 3, 0.02f)) {}
  ConstTensorView view() const { return {reinterpret_cast<const std::byte*>(weights.data()), DType::kF32, {out, in}}; }

  std::vector<std::byte> packed(const InputMoments* moments, int threads = 2) const {
    const auto backend = make_cpu_backend({.threads = threads, .precision = Precision::kBFloat16, .instruction_set = ""});
    const ConstTensorView part = view();
    const auto linear = backend->pack_linear({&part, 1}, {}, WeightFormat::kInt4, moments);
    const Buffer& panels = static_cast<const CpuLinear&>(*linear).panels;
    return {panels.data(), panels.data() + panels.size()};
  }

  // The mean squared error of the outputs over the rows of x.
  double output_error(const std::vector<std::byte>& panels, const std::vector<float>& x) const {
    Buffer aligned(panels.size());
    std::copy(panels.begin(), panels.end(), aligned.data());
    std::vector<float> row(at(in));
    double total = 0;
    for (int64_t o = 0; o < out; ++o) {
      dequantise_row(aligned.data(), QuantFormat::kInt4, in, o, row.data());
      for (int64_t r = 0; r < static_cast<int64_t>(x.size()) / in; ++r) {
        double sum = 0;
        for (int64_t i = 0; i < in; ++i) sum += (double{row[at(i)]} - weights[at(o * in + i)]) * x[at(r * in + i)];
        total += sum * sum;
      }
    }
    return total / static_cast<double>(out * static_cast<int64_t>(x.size()) / in);
  }

  int64_t out, in;
  std::vector<float> weights;
};

InputMoments moments_of(const std::vector<float>& x, int64_t in) {
  InputMoments moments(in);
  moments.add(x.data(), static_cast<int64_t>(x.size()) / in);
  return moments;
}

// Rows that were not recorded, from the same mixtures, count: the gain is no matter of learning rows by heart.
TEST(Compensation, OutputsAreNearer) {
  for (const auto& [out, in] : std::vector<std::pair<int64_t, int64_t>>{{32, 256}, {17, 512}, {5, 300}, {1, 257}, {16, 100}, {33, 31}}) {
    const auto all = correlated(3000, in, 11);
    const std::vector<float> recorded(all.begin(), all.begin() + 2000 * in), fresh(all.begin() + 2000 * in, all.end());
    const InputMoments moments = moments_of(recorded, in);
    const Case c(out, in);
    const double nearest = c.output_error(c.packed(nullptr), fresh), compensated = c.output_error(c.packed(&moments), fresh);
    EXPECT_LT(compensated, 0.5 * nearest) << out << "x" << in;
  }
}

// Inputs of one size that have nothing to do with each other: nothing to gain, nothing changed.
TEST(Compensation, IndependentInputsChangeNothing) {
  for (const int64_t in : {256, 300, 512, 33}) {
    for (const float square : {1.0f, 3.7e-5f, 8e6f}) {
      InputMoments moments(in);
      for (int64_t b = 0; b < moments.blocks(); ++b) {
        for (int64_t i = 0; i < moments.block_inputs(b); ++i) moments.block(b)[InputMoments::row_begin(i) + i] = square;
      }
      const Case c(20, in);
      EXPECT_EQ(c.packed(&moments), c.packed(nullptr)) << in << ", " << square;
    }
  }
}

// Nothing recorded, or nonsense: rounded to nearest. An input that was always 0 does no harm.
TEST(Compensation, UselessSums) {
  const Case c(16, 300);
  const auto nearest = c.packed(nullptr);
  InputMoments none(300);
  EXPECT_EQ(c.packed(&none), nearest);
  for (const float bad : {NAN, INFINITY, -1.0f}) {
    InputMoments moments = moments_of(correlated(500, 300, 5), 300);
    for (int64_t b = 0; b < 2; ++b) moments.block(b)[InputMoments::row_begin(7) + 7] = bad * 1e9f;
    EXPECT_EQ(c.packed(&moments), nearest) << bad;
    moments = moments_of(correlated(500, 300, 5), 300);
    for (int64_t b = 0; b < 2; ++b) moments.block(b)[InputMoments::row_begin(9) + 3] = bad * 1e9f;
    if (std::isfinite(bad)) continue;
    EXPECT_EQ(c.packed(&moments), nearest) << bad;
  }
  auto x = correlated(500, 300, 5);
  for (size_t r = 0; r < 500; ++r) {
    for (size_t i = 32; i < 64; ++i) x[r * 300 + i] = 0;
  }
  const InputMoments moments = moments_of(x, 300);
  EXPECT_LT(c.output_error(c.packed(&moments), x), 0.5 * c.output_error(nearest, x));
}

TEST(Compensation, SameBitsOnAnyThreads) {
  const auto x = correlated(700, 520, 2);
  const InputMoments moments = moments_of(x, 520);
  const Case c(100, 520);
  const auto one = c.packed(&moments, 1);
  EXPECT_NE(one, c.packed(nullptr, 1));
  EXPECT_EQ(one, c.packed(&moments, 2));
  EXPECT_EQ(one, c.packed(&moments, 3));
}

// Magnitudes at the ends of what float32 holds cancel out.
TEST(Compensation, ExtremeMagnitudes) {
  const auto x = correlated(600, 256, 4);
  Case c(16, 256);
  const InputMoments moments = moments_of(x, 256);
  const double nearest = c.output_error(c.packed(nullptr), x), usual = c.output_error(c.packed(&moments), x);
  EXPECT_LT(usual, 0.5 * nearest);
  for (float& w : c.weights) w *= 0x1p100f;
  EXPECT_NEAR(c.output_error(c.packed(&moments), x) * 0x1p-200, usual, 0.01 * usual);
}

TEST(Moments, AreThePlainSums) {
  for (const int64_t in : {1, 5, 31, 255, 256, 257, 300, 768}) {
    for (const int64_t rows : {1, 3, 127, 128, 129, 300}) {
      const auto x = random_floats(rows * in, static_cast<uint32_t>(in * 1000 + rows));
      const auto backend = make_cpu_backend({.threads = 2, .precision = Precision::kBFloat16, .instruction_set = ""});
      InputMoments got(in), want(in);
      backend->ops().add_moments(x.data(), rows, got);
      backend->ops().add_moments(x.data(), rows, got);
      want.add(x.data(), rows);
      want.add(x.data(), rows);
      ASSERT_EQ(got.blocks(), (in + 255) / 256);
      for (int64_t b = 0; b < got.blocks(); ++b) {
        for (int64_t i = 0; i < got.block_inputs(b); ++i) {
          for (int64_t j = 0; j < got.block_inputs(b); ++j) {
            double sum = 0;
            for (int64_t r = 0; r < rows; ++r) sum += 2 * double{x[at(r * in + b * 256 + i)]} * x[at(r * in + b * 256 + j)];
            const double near = 1e-5 * static_cast<double>(rows) + 1e-5;
            ASSERT_NEAR(got.sum(b, i, j), sum, near) << in << " inputs, " << rows << " rows, " << i << ", " << j;
            ASSERT_NEAR(want.sum(b, i, j), sum, near) << in << " inputs, " << rows << " rows, " << i << ", " << j;
          }
        }
      }
    }
  }
}

TEST(Moments, SameBitsOnAnyThreads) {
  const auto x = correlated(333, 1000, 6);
  std::vector<InputMoments> sums;
  for (const int threads : {1, 2, 3}) {
    const auto backend = make_cpu_backend({.threads = threads, .precision = Precision::kBFloat16, .instruction_set = ""});
    backend->ops().add_moments(x.data(), 333, sums.emplace_back(1000));
  }
  for (int64_t b = 0; b < sums[0].blocks(); ++b) {
    const int64_t count = InputMoments::row_begin(sums[0].block_inputs(b));
    EXPECT_TRUE(std::equal(sums[0].block(b), sums[0].block(b) + count, sums[1].block(b)));
    EXPECT_TRUE(std::equal(sums[0].block(b), sums[0].block(b) + count, sums[2].block(b)));
  }
}

}  // namespace
}  // namespace qvl::cpu
