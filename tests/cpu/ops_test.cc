// One table of op cases, odd sizes always, run by every instruction set this processor has and in both precisions against
// the reference, with guard values around every output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "cpu/cpu_backend.h"
#include "ops/ref_ops.h"

namespace qvl {
namespace {

constexpr float kGuard = 12345.5f;

// Random floats in a buffer that has guard values after its end.
struct Floats {
  Floats(int64_t n, uint32_t seed, float scale = 1) : count(static_cast<size_t>(n)), data(count + 64, kGuard) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal(0, scale);
    for (size_t i = 0; i < count; ++i) data[i] = normal(rng);
  }
  float* get() { return data.data(); }
  bool guarded() const {
    for (size_t i = count; i < data.size(); ++i) {
      if (data[i] != kGuard) return false;
    }
    return true;
  }
  size_t count;
  std::vector<float> data;
};

// Values that bfloat16 holds exactly, so that packing loses nothing.
std::vector<BF16> bf16_matrix(int64_t elements, uint32_t seed) {
  Floats f(elements, seed, 0.5f);
  std::vector<BF16> out;
  for (size_t i = 0; i < f.count; ++i) out.push_back(to_bf16(f.data[i]));
  return out;
}

struct Config {
  std::string instruction_set;
  Precision precision;
  int threads;
};

class CpuOpsTest : public testing::TestWithParam<Config> {
 protected:
  CpuOpsTest()
      : cpu_(make_cpu_backend({.threads = GetParam().threads, .precision = GetParam().precision,
                               .instruction_set = GetParam().instruction_set})),
        ref_(make_ref_backend()) {}

  // Inputs of products are rounded where the set multiplies in bfloat16.
  bool rounds() const {
    const std::string& set = GetParam().instruction_set;
    const bool dots = set.find("amx") != std::string::npos || set == "avx512-bf16" || set == "vnni-emulated";
    return dots && GetParam().precision == Precision::kBFloat16;
  }

  // Such a set gets inputs that bfloat16 holds exactly: then nothing is lost and it must agree as closely as the others.
  void make_exact(Floats& x) const {
    for (size_t i = 0; rounds() && i < x.count; ++i) x.data[i] = to_float(to_bf16(x.data[i]));
  }

  void expect_near(const Floats& got, const Floats& want, float tolerance) {
    EXPECT_TRUE(got.guarded());
    float worst = 0;
    for (size_t i = 0; i < got.count; ++i) {
      ASSERT_TRUE(std::isfinite(got.data[i])) << i;
      worst = std::max(worst, std::fabs(got.data[i] - want.data[i]) / std::max(1.0f, std::fabs(want.data[i])));
    }
    EXPECT_LE(worst, tolerance);
  }

  std::unique_ptr<Backend> cpu_, ref_;
};

TEST_P(CpuOpsTest, Linear) {
  const int64_t shapes[][2] = {{16, 32}, {1, 1}, {17, 33}, {48, 256}, {100, 300}, {344, 128}, {31, 513}, {129, 64}};
  for (const auto& [out, in] : shapes) {
    for (const bool f32 : {false, true}) {
      const auto weights = bf16_matrix(out * in, 1);
      std::vector<float> wide;
      for (const BF16 w : weights) wide.push_back(to_float(w) * (f32 ? 1.001f : 1.0f));
      const ConstTensorView part = {f32 ? reinterpret_cast<const std::byte*>(wide.data())
                                        : reinterpret_cast<const std::byte*>(weights.data()),
                                    f32 ? DType::kF32 : DType::kBF16, {out, in}};
      Floats bias(out, 2);
      const std::span<const float> bias_span(bias.data.data(), static_cast<size_t>(out));
      const auto a = cpu_->pack_linear({&part, 1}, bias_span), b = ref_->pack_linear({&part, 1}, bias_span);
      const bool rounded_weights = f32 && GetParam().precision == Precision::kBFloat16;
      const float tolerance = rounded_weights ? 0.03f * std::sqrt(static_cast<float>(in)) / 4 : 5e-5f;
      for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 13, 24, 49, 250}) {
        Floats x(rows * in, 3), y(rows * out, 4), want = y;
        make_exact(x);
        for (const auto activation : {Activation::kNone, Activation::kGeluTanh, Activation::kGeluErf}) {
          if (activation != Activation::kNone && rows > 7) continue;  // the reference's time, not a difference
          cpu_->ops().linear(*a, x.get(), rows, y.get(), activation);
          ref_->ops().linear(*b, x.get(), rows, want.get(), activation);
          expect_near(y, want, tolerance);
        }
        cpu_->ops().linear_add(*a, x.get(), rows, y.get());
        ref_->ops().linear_add(*b, x.get(), rows, want.get());
        expect_near(y, want, tolerance);
      }
      std::vector<int32_t> ids = {0, static_cast<int32_t>(out - 1), static_cast<int32_t>(out / 2)};
      Floats y(3 * in, 5), want = y;
      cpu_->ops().gather_rows(*a, ids, y.get());
      ref_->ops().gather_rows(*b, ids, want.get());
      expect_near(y, want, rounded_weights ? 0.01f : 0);
    }
  }
}

// A row's result may not depend on its company: same bits alone, in a pair and among many.
TEST_P(CpuOpsTest, LinearRowsAreIndependent) {
  const int64_t out = 70, in = 700, rows = 61;
  const auto weights = bf16_matrix(out * in, 6);
  const ConstTensorView part = {reinterpret_cast<const std::byte*>(weights.data()), DType::kBF16, {out, in}};
  const auto w = cpu_->pack_linear({&part, 1}, {});
  Floats x(rows * in, 7), all(rows * out, 8);
  cpu_->ops().linear(*w, x.get(), rows, all.get());
  for (const int64_t count : {1, 2, 3, 4, 5, 6, 9, 17}) {
    Floats some(count * out, 9);
    cpu_->ops().linear(*w, x.get() + in * (rows - count), count, some.get());
    for (int64_t i = 0; i < count * out; ++i) {
      ASSERT_EQ(some.get()[i], all.get()[(rows - count) * out + i]) << count << " rows, element " << i;
    }
  }
}

// The rounding of inputs itself: the same bits as from inputs rounded before; infinities and NaN stay in their row.
TEST_P(CpuOpsTest, InputsAreRoundedToNearestEven) {
  if (!rounds()) GTEST_SKIP() << "this set does not round";
  const int64_t out = 33, in = 75, rows = 19;
  const auto weights = bf16_matrix(out * in, 6);
  const ConstTensorView part = {reinterpret_cast<const std::byte*>(weights.data()), DType::kBF16, {out, in}};
  const auto w = cpu_->pack_linear({&part, 1}, {});
  Floats x(rows * in, 7), y(rows * out, 8), want = y;
  x.data[0] = 1.00390625f, x.data[1] = 1.01171875f, x.data[2] = -1.00390625f, x.data[3] = 3.3895e38f;  // ties; to infinity
  x.data[5 * in + 3] = std::nanf(""), x.data[6 * in] = INFINITY;
  Floats exact = x;
  make_exact(exact);
  cpu_->ops().linear(*w, x.get(), rows, y.get());
  cpu_->ops().linear(*w, exact.get(), rows, want.get());
  for (int64_t r = 1; r < rows; ++r) {
    for (int64_t i = r * out; i < (r + 1) * out; ++i) {
      if (r == 5) {
        EXPECT_TRUE(std::isnan(y.get()[i])) << i;
      } else {
        EXPECT_EQ(y.get()[i], want.get()[i]) << i;
        EXPECT_EQ(std::isfinite(y.get()[i]), r != 6) << i;
      }
    }
  }
}

// Against double precision over a dense grid, relative to |x|.
TEST_P(CpuOpsTest, GeluErfIsAccurate) {
  const BF16 one = to_bf16(1);
  const ConstTensorView part = {reinterpret_cast<const std::byte*>(&one), DType::kBF16, {1, 1}};
  const auto w = cpu_->pack_linear({&part, 1}, {});
  constexpr int64_t kCount = 80001;
  Floats x(kCount, 1), y(kCount, 2);
  for (int64_t i = 0; i < kCount; ++i) x.get()[i] = static_cast<float>(i - kCount / 2) / 2500;  // -16..16
  make_exact(x);
  cpu_->ops().linear(*w, x.get(), kCount, y.get(), Activation::kGeluErf);
  double worst = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const double v = x.get()[i], want = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    worst = std::max(worst, std::fabs(y.get()[i] - want) / std::max(1e-30, std::fabs(v)));
  }
  EXPECT_LT(worst, 3e-7);
}

// Slots after a sequence's last token hold whatever was there before, even NaN.
TEST_P(CpuOpsTest, StalePagesAreNeverRead) {
  const int heads = 3, dim = 24;
  for (const int64_t tokens : {1, 5, 16, 31, 45, 127, 130}) {
    auto cache = cpu_->make_kv_cache(1, heads, dim, 5);
    const std::vector<int32_t> pages = {4, 2, 0, 1, 3};
    Floats stale(160 * 3 * heads * dim, 1), qkv(tokens * 3 * heads * dim, 2), y(tokens * heads * dim, 3), want = y;
    std::fill_n(stale.get(), stale.count, std::nanf(""));
    const std::vector<SequenceRows> old = {{0, 160, 0, pages}}, fresh = {{0, tokens, 0, pages}};
    auto clean = cpu_->make_kv_cache(1, heads, dim, 5);
    cpu_->ops().kv_write(*cache, 0, stale.get(), stale.get(), 3 * heads * dim, old);
    for (auto* c : {cache.get(), clean.get()}) {
      cpu_->ops().kv_write(*c, 0, qkv.get() + heads * dim, qkv.get() + 2 * heads * dim, 3 * heads * dim, fresh);
      cpu_->ops().paged_attention(*c, 0, qkv.get(), 3 * heads * dim, heads, 0.25f, fresh, c == cache.get() ? y.get() : want.get());
    }
    for (size_t i = 0; i < y.count; ++i) ASSERT_EQ(y.data[i], want.data[i]) << tokens << " tokens, element " << i;
  }
}

TEST_P(CpuOpsTest, Rows) {
  for (const int64_t width : {1, 5, 16, 24, 100, 128, 1000}) {
    for (const int64_t rows : {1, 3, 40}) {
      Floats x(rows * width, 1, 3), w(width, 2), b(width, 3), y(rows * width, 4), want = y;
      cpu_->ops().rms_norm(x.get(), rows, width, w.get(), 1e-6f, y.get());
      ref_->ops().rms_norm(x.get(), rows, width, w.get(), 1e-6f, want.get());
      expect_near(y, want, 2e-6f);
      if (width > 1) {
        cpu_->ops().layer_norm(x.get(), rows, width, w.get(), b.get(), 1e-6f, y.get());
        ref_->ops().layer_norm(x.get(), rows, width, w.get(), b.get(), 1e-6f, want.get());
        expect_near(y, want, 5e-6f);
      }
      Floats gate_up(2 * rows * width, 5, 10);
      cpu_->ops().swiglu(gate_up.get(), rows, width, y.get());
      ref_->ops().swiglu(gate_up.get(), rows, width, want.get());
      expect_near(y, want, 2e-6f);
      cpu_->ops().add(x.get(), rows * width, y.get());
      ref_->ops().add(x.get(), rows * width, want.get());
      expect_near(y, want, 2e-6f);
    }
  }
}

TEST_P(CpuOpsTest, ExtremeActivations) {
  std::vector<float> x = {-1e30f, -1000, -88.5f, -87, -20, -1e-30f, 0, 1e-30f, 20, 87, 88.5f, 1000, 1e30f, 1};
  const auto n = static_cast<int64_t>(x.size());
  std::vector<float> gate_up = x, y(x.size()), want(x.size());
  gate_up.insert(gate_up.end(), x.size(), 1.0f);
  cpu_->ops().swiglu(gate_up.data(), 1, n, y.data());
  ref_->ops().swiglu(gate_up.data(), 1, n, want.data());
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(y[i], want[i], 1e-5f * std::max(1.0f, std::fabs(want[i]))) << x[i];
}

TEST_P(CpuOpsTest, NormRope) {
  for (const int dim : {4, 24, 36, 64, 72, 128}) {
    const int64_t rows = 5, stride = 3 * dim + 7;
    Floats x(rows * stride, 1), want = x, w(dim, 2), cos(rows * dim / 2, 3), sin(rows * dim / 2, 4);
    for (const bool norm : {false, true}) {
      cpu_->ops().norm_rope(x.get(), rows, stride, 3, dim, norm ? w.get() : nullptr, 1e-6f, cos.get(), sin.get());
      ref_->ops().norm_rope(want.get(), rows, stride, 3, dim, norm ? w.get() : nullptr, 1e-6f, cos.get(), sin.get());
      expect_near(x, want, 1e-5f);
    }
  }
}

TEST_P(CpuOpsTest, PagedAttention) {
  const bool bf16 = GetParam().precision == Precision::kBFloat16;
  for (const auto& [heads, kv_heads, dim] : {std::array{8, 2, 128}, std::array{4, 4, 64}, std::array{6, 1, 24}}) {
    const int layers = 2, pages = 40;
    auto a = cpu_->make_kv_cache(layers, kv_heads, dim, pages), b = ref_->make_kv_cache(layers, kv_heads, dim, pages);
    std::vector<int32_t> first_pages, second_pages;
    for (int i = 0; i < pages / 2; ++i) first_pages.push_back(2 * i + 1), second_pages.push_back(2 * (pages / 2 - 1 - i));
    const int64_t width = (heads + 2 * kv_heads) * dim;
    int64_t past_first = 0, past_second = 0;
    // A long first chunk, odd pieces, single tokens; the second sequence joins later.
    for (const auto& [n1, n2] : {std::pair{150, 0}, {1, 70}, {5, 1}, {33, 90}, {1, 1}, {200, 3}}) {
      const int64_t rows = n1 + n2;
      Floats qkv(rows * width, static_cast<uint32_t>(rows), 2), y(rows * heads * dim, 2), want = y;
      std::vector<SequenceRows> sequences = {{0, n1, past_first, first_pages}};
      if (n2 > 0) sequences.push_back({n1, n2, past_second, second_pages});
      for (int layer = 0; layer < layers; ++layer) {
        const float* const k = qkv.get() + heads * dim;
        const float* const v = k + kv_heads * dim;
        for (auto* side : {cpu_.get(), ref_.get()}) {
          KvCache& cache = side == cpu_.get() ? *a : *b;
          side->ops().kv_write(cache, layer, k, v, width, sequences);
          side->ops().paged_attention(cache, layer, qkv.get(), width, heads, 0.1f, sequences,
                                      side == cpu_.get() ? y.get() : want.get());
        }
        expect_near(y, want, bf16 ? 0.1f : 5e-5f);
      }
      past_first += n1;
      past_second += n2;
    }
  }
}

TEST_P(CpuOpsTest, SegmentAttention) {
  for (const int dim : {16, 24, 36, 64, 72}) {
    for (const auto& [segment, count] : {std::pair{4, 3}, {36, 1}, {130, 2}, {264, 1}}) {
      const int heads = 3;
      const int64_t rows = segment * count, width = heads * dim;
      Floats qkv(rows * 3 * width, 1, 2), y(rows * width, 2), want = y;
      make_exact(qkv);  // and a scale that keeps it so: of bfloat16 only the probabilities are rounded, to 2^-9
      cpu_->ops().segment_attention(qkv.get(), rows, segment, heads, dim, 0.25f, KvFormat::kPlain, y.get());
      ref_->ops().segment_attention(qkv.get(), rows, segment, heads, dim, 0.25f, KvFormat::kPlain, want.get());
      expect_near(y, want, GetParam().precision == Precision::kBFloat16 ? 0.02f : 5e-5f);
    }
  }
}

// Of the differences, beside what is wanted.
double error_power(const Floats& got, const Floats& want) {
  double error = 0, power = 0;
  for (size_t i = 0; i < got.count; ++i) {
    error += std::pow(got.data[i] - want.data[i], 2);
    power += std::pow(want.data[i], 2);
  }
  return error / power;
}

struct MadeExperts {
  PackedExperts cpu, ref;
};

MadeExperts make_experts(Backend& cpu, Backend& ref, int experts, int64_t hidden, int64_t inner, WeightFormat format) {
  MadeExperts made;
  for (int e = 0; e < experts; ++e) {
    const auto gate_up = bf16_matrix(2 * inner * hidden, static_cast<uint32_t>(10 + e));
    const auto down = bf16_matrix(hidden * inner, static_cast<uint32_t>(20 + e));
    const ConstTensorView gate_up_view = {reinterpret_cast<const std::byte*>(gate_up.data()), DType::kBF16, {2 * inner, hidden}};
    const ConstTensorView down_view = {reinterpret_cast<const std::byte*>(down.data()), DType::kBF16, {hidden, inner}};
    made.cpu.gate_up.push_back(cpu.pack_linear({&gate_up_view, 1}, {}, format));
    made.cpu.down.push_back(cpu.pack_linear({&down_view, 1}, {}, format));
    made.ref.gate_up.push_back(ref.pack_linear({&gate_up_view, 1}, {}, format));
    made.ref.down.push_back(ref.pack_linear({&down_view, 1}, {}, format));
  }
  return made;
}

// Two of five experts for each row; the fourth is never chosen.
std::vector<int32_t> two_of_five(int64_t rows) {
  std::vector<int32_t> indices;
  for (int64_t r = 0; r < rows; ++r) {
    indices.push_back(static_cast<int32_t>(4 - r % 2 * 2));
    indices.push_back(static_cast<int32_t>(r / 2 % 2));
  }
  return indices;
}

TEST_P(CpuOpsTest, Experts) {
  const int64_t hidden = 40, inner = 24;
  const MadeExperts made = make_experts(*cpu_, *ref_, 5, hidden, inner, WeightFormat::kPlain);
  for (const int64_t rows : {9, 301}) {  // 301: more than go through the experts together
    const auto indices = two_of_five(rows);
    Floats x(rows * hidden, 1), weights(rows * 2, 2), y(rows * hidden, 3), want = y;
    cpu_->ops().experts_add(made.cpu, x.get(), rows, indices.data(), weights.get(), 2, y.get());
    ref_->ops().experts_add(made.ref, x.get(), rows, indices.data(), weights.get(), 2, want.get());
    if (rows == 9) expect_near(y, want, rounds() ? 0.1f : 2e-5f);
    EXPECT_LT(error_power(y, want), rounds() ? 1e-4 : 1e-11);
  }
}

// Sums over quantised weights are exact, so a row's result does not depend on the rows beside it.
TEST_P(CpuOpsTest, QuantisedExpertsGiveARowTheSameInAnyCompany) {
  const int64_t hidden = 280, inner = 40, rows = 301;
  const MadeExperts made = make_experts(*cpu_, *ref_, 5, hidden, inner, WeightFormat::kInt4);
  const auto indices = two_of_five(rows);
  Floats x(rows * hidden, 1), weights(rows * 2, 2), y(rows * hidden, 3), alone = y, want = y;
  cpu_->ops().experts_add(made.cpu, x.get(), rows, indices.data(), weights.get(), 2, y.get());
  for (int64_t r = 0; r < rows; ++r) {
    cpu_->ops().experts_add(made.cpu, x.get() + r * hidden, 1, indices.data() + 2 * r, weights.get() + 2 * r, 2, alone.get() + r * hidden);
  }
  expect_near(y, alone, 0);
  ref_->ops().experts_add(made.ref, x.get(), rows, indices.data(), weights.get(), 2, want.get());
  EXPECT_LT(error_power(y, want), 0.03);  // int4's rounding
}

std::vector<Config> configs() {
  std::vector<Config> out;
  for (const auto& set : cpu_instruction_sets()) {
    for (const auto precision : {Precision::kFloat32, Precision::kBFloat16}) out.push_back({set, precision, 2});
  }
  out.push_back({"generic", Precision::kFloat32, 1});
  out.push_back({cpu_instruction_sets().back(), Precision::kBFloat16, 3});
  return out;
}

INSTANTIATE_TEST_SUITE_P(Sets, CpuOpsTest, testing::ValuesIn(configs()), [](const auto& test) {
  std::string name = test.param.instruction_set + (test.param.precision == Precision::kFloat32 ? "_f32_" : "_bf16_") +
                     std::to_string(test.param.threads);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace qvl
