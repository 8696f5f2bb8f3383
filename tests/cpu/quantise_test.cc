// int4 and int8 blocks: how near they come to the weights (read back by dequantise_row, the formats' definition), odd
// shapes, stacked parts that begin inside a panel, extreme and unusable values.
#include "cpu/quantise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "base/error.h"
#include "cpu/cpu_backend.h"
#include "cpu/cpu_linear.h"
#include "cpu/packing.h"

namespace qvl::cpu {
namespace {

struct Matrix {
  Matrix(int64_t out, int64_t in, const std::function<float(std::mt19937&)>& next, uint32_t seed = 7)
      : outputs(out), inputs(in), values(static_cast<size_t>(out * in)) {
    std::mt19937 rng(seed);
    for (float& x : values) x = next(rng);
  }
  ConstTensorView rows(int64_t first, int64_t count) const {
    return {reinterpret_cast<const std::byte*>(values.data() + first * inputs), DType::kF32, {count, inputs}};
  }
  ConstTensorView view() const { return rows(0, outputs); }
  int64_t outputs, inputs;
  std::vector<float> values;
};

float gauss(std::mt19937& rng) { return std::normal_distribution<float>(0, 0.02f)(rng); }

// Filled with a pattern first, so that a byte that is not written shows.
Buffer quantised(std::span<const ConstTensorView> parts, int64_t out, int64_t in, QuantFormat format) {
  Buffer panels(static_cast<size_t>(panel_count(out)) * quant_panel_bytes(in, format));
  std::fill_n(panels.data(), panels.size(), std::byte{0xa5});
  quantise_panels(parts, format, 0, panel_count(out), panels.data());
  return panels;
}

Buffer quantised(const Matrix& m, QuantFormat format) {
  const ConstTensorView view = m.view();
  return quantised({&view, 1}, m.outputs, m.inputs, format);
}

std::vector<float> read_back(const Buffer& panels, QuantFormat format, int64_t out, int64_t in) {
  std::vector<float> values(static_cast<size_t>(out * in));
  for (int64_t o = 0; o < out; ++o) dequantise_row(panels.data(), format, in, o, values.data() + o * in);
  return values;
}

double snr_db(const std::vector<float>& want, const std::vector<float>& got) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double error = double{want[i]} - got[i];
    signal += double{want[i]} * want[i];
    noise += error * error;
  }
  return 10 * std::log10(signal / noise);
}

double snr_db(const Matrix& m, QuantFormat format) {
  return snr_db(m.values, read_back(quantised(m, format), format, m.outputs, m.inputs));
}

double snr_of(QuantFormat format, const std::function<float(std::mt19937&)>& next) {
  return snr_db(Matrix(128, 2048, next), format);
}

TEST(Quantise, Int4SignalToNoise) {
  EXPECT_GT(snr_of(QuantFormat::kInt4, gauss), 22.6);
  EXPECT_GT(snr_of(QuantFormat::kInt4, [](auto& rng) { return std::student_t_distribution<float>(5)(rng); }), 21.1);
  EXPECT_GT(snr_of(QuantFormat::kInt4, [](auto& rng) { return std::student_t_distribution<float>(3)(rng); }), 20.1);
  EXPECT_GT(
      snr_of(QuantFormat::kInt4,
             [](auto& rng) { return std::exponential_distribution<float>()(rng) * (rng() % 2 == 0 ? 1.0f : -1.0f); }),
      20.9);
}

TEST(Quantise, Int8SignalToNoise) {
  EXPECT_GT(snr_of(QuantFormat::kInt8, gauss), 42.5);
  EXPECT_GT(snr_of(QuantFormat::kInt8, [](auto& rng) { return std::student_t_distribution<float>(3)(rng); }), 34);
}

// Weights that are the format's own levels lose no more than bfloat16's rounding of d.
TEST(Quantise, Int4KeepsWhatFits) {
  Matrix levels(16, 512, [](auto& rng) { return 0.5f * static_cast<float>(static_cast<int>(rng() % 16) - 8); });
  for (size_t group = 0; group < levels.values.size(); group += 32)
    levels.values[group] = -4, levels.values[group + 1] = 3.5f;
  EXPECT_GT(snr_db(levels, QuantFormat::kInt4), 45);
  const Matrix constant(16, 256, [](auto&) { return 0.75f; });
  EXPECT_GT(snr_db(constant, QuantFormat::kInt4), 45);
}

TEST(Quantise, OddShapes) {
  for (const int64_t out : {1, 15, 16, 17, 33}) {
    for (const int64_t in : {1, 3, 31, 32, 33, 100, 255, 256, 257, 300, 600}) {
      for (const QuantFormat format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
        const Matrix m(out, in, gauss, static_cast<uint32_t>(out * 1000 + in));
        EXPECT_GT(snr_db(m, format), format == QuantFormat::kInt4 ? 18 : 40) << out << "x" << in;
      }
    }
  }
}

// Missing outputs and inputs weigh nothing, whatever a kernel makes of them.
TEST(Quantise, PaddingIsZero) {
  constexpr int64_t kOut = 19, kIn = 300;
  const Matrix m(kOut, kIn, gauss);
  const Buffer int4 = quantised(m, QuantFormat::kInt4), int8 = quantised(m, QuantFormat::kInt8);
  for (int64_t panel = 0; panel < 2; ++panel) {
    const auto* const last4 = int4.as<Int4Block>() + panel * 2 + 1;
    const auto* const last8 = int8.as<Int8Block>() + panel * 2 + 1;
    for (int lane = 0; lane < kPanel; ++lane) {
      for (int i = kIn - 256; i < kBlockInputs; ++i) {
        EXPECT_EQ(last4->nibbles[i / 8][4 * lane + i % 4] >> 4 * (i / 4 % 2) & 15, 8) << i;
        EXPECT_EQ(last8->values[i / 4][4 * lane + i % 4], 128) << i;
      }
      EXPECT_EQ(last4->scales[lane] >> 8, 0u);  // groups 2.. do not exist
      EXPECT_EQ(last4->offsets[lane] & 0xfff0fff0u, 0u);
      if (panel * kPanel + lane < kOut) continue;
      for (int block = 0; block < 2; ++block) {
        const auto& b4 = int4.as<Int4Block>()[panel * 2 + block];
        EXPECT_TRUE(b4.d[lane] == 0 && b4.dm[lane] == 0 && b4.scales[lane] == 0 && b4.offsets[lane] == 0);
        EXPECT_EQ(b4.nibbles[0][4 * lane], 0x88);
        EXPECT_EQ(int8.as<Int8Block>()[panel * 2 + block].d[lane], 0);
      }
    }
  }
}

// q, k and v stacked are the matrix of their rows, to the bit, wherever the parts end.
TEST(Quantise, StackedPartsAreOneMatrix) {
  constexpr int64_t kOut = 50, kIn = 320;
  const Matrix m(kOut, kIn, gauss);
  for (const QuantFormat format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
    const Buffer whole = quantised(m, format);
    const ConstTensorView parts[] = {m.rows(0, 5), m.rows(5, 1), m.rows(6, 30), m.rows(36, 14)};
    const Buffer stacked = quantised(parts, kOut, kIn, format);
    EXPECT_TRUE(std::equal(whole.data(), whole.data() + whole.size(), stacked.data(), stacked.data() + stacked.size()));
  }
}

// A block does not depend on the others: rows of a matrix give what they give alone.
TEST(Quantise, ExtremeMagnitudes) {
  for (const float magnitude : {1e-30f, 1e-12f, 1.0f, 1e12f, 1e30f}) {
    for (const QuantFormat format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
      Matrix m(16, 256, gauss);
      for (float& x : m.values) x *= magnitude;
      EXPECT_GT(snr_db(m, format), format == QuantFormat::kInt4 ? 21 : 41) << magnitude;
    }
  }
  // One weight that dwarfs the rest, outputs that are zero, and numbers below what float32 products notice.
  Matrix m(17, 512, gauss);
  m.values[5] = 1e6f;
  std::fill_n(m.values.begin() + 2 * 512, 512, 0.0f);
  std::fill_n(m.values.begin() + 3 * 512, 512, 1e-40f);
  for (const QuantFormat format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
    const auto got = read_back(quantised(m, format), format, 17, 512);
    EXPECT_THAT(got, testing::Each(testing::ResultOf([](float x) { return std::isfinite(x); }, true)));
    EXPECT_NEAR(got[5], 1e6f, 1e4f);
    for (int i = 0; i < 512; ++i) EXPECT_EQ(got[static_cast<size_t>(2 * 512 + i)], 0) << i;
  }
}

TEST(Quantise, EveryElementType) {
  const int64_t out = 16, in = 256;
  std::vector<uint16_t> half(static_cast<size_t>(out * in));
  std::vector<BF16> bf16(half.size());
  std::vector<uint8_t> f8(half.size());
  std::mt19937 rng(3);
  for (size_t i = 0; i < half.size(); ++i) {
    f8[i] = static_cast<uint8_t>(rng() % 64 + (rng() % 2) * 128);
    half[i] = static_cast<uint16_t>(rng() % 0x3c00 | (rng() % 2) << 15);
    bf16[i] = to_bf16(gauss(rng));
  }
  const ConstTensorView views[] = {{reinterpret_cast<std::byte*>(half.data()), DType::kF16, {out, in}},
                                   {reinterpret_cast<std::byte*>(bf16.data()), DType::kBF16, {out, in}},
                                   {reinterpret_cast<std::byte*>(f8.data()), DType::kF8E4M3, {out, in}}};
  for (const auto& view : views) {
    const Buffer panels = quantised({&view, 1}, out, in, QuantFormat::kInt4);
    EXPECT_GT(snr_db(to_float_vector(view, "w"), read_back(panels, QuantFormat::kInt4, out, in)), 15)
        << dtype_name(view.dtype);
  }
}

TEST(Quantise, RefusesWhatIsNotFinite) {
  for (const float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
    for (const QuantFormat format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
      Matrix m(20, 300, gauss);
      m.values[18 * 300 + 299] = bad;
      try {
        quantised(m, format);
        FAIL() << "accepted " << bad;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind, ErrorKind::kModel);
        EXPECT_EQ(e.code, "model_not_finite");
        EXPECT_THAT(e.what(), testing::HasSubstr("row 18"));
      }
    }
  }
}

// Through the backend, on one thread and on three: the same bytes, and an error crosses the threads.
TEST(Quantise, BackendPacksTheSameOnAnyThreads) {
  const Matrix m(100, 520, gauss);
  const ConstTensorView parts[] = {m.rows(0, 37), m.rows(37, 63)};
  for (const WeightFormat format : {WeightFormat::kInt4, WeightFormat::kInt8}) {
    const auto panels_of = [&](int threads) {
      const auto backend =
          make_cpu_backend({.threads = threads, .precision = Precision::kBFloat16, .instruction_set = ""});
      const auto linear = backend->pack_linear(parts, {}, format);
      const Buffer& panels = static_cast<const CpuLinear&>(*linear).panels;
      EXPECT_EQ(linear->packed_bytes(), panels.size());
      return std::vector<std::byte>(panels.data(), panels.data() + panels.size());
    };
    EXPECT_EQ(panels_of(1), panels_of(3));
  }
}

}  // namespace
}  // namespace qvl::cpu
