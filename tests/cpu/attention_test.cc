// Attention of every instruction set against the reference: formats of the cache, odd head sizes and lengths, spans, and that
// a row's bits depend neither on how its prompt was cut nor on the number of threads.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

#include "cpu/cpu_backend.h"
#include "ops/ref_ops.h"
#include "tests/cpu/random_numbers.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

using cpu::random_floats;

struct Config {
  std::string instruction_set;
  Precision precision;
};

// One sequence in a cache with pages in a mixed order, and room after its tokens.
struct Sequence {
  Sequence(int query_heads, int key_heads, int head_dim, int64_t count, uint32_t seed)
      : heads(query_heads), kv_heads(key_heads), dim(head_dim), tokens(count), width((heads + 2 * kv_heads) * int64_t{dim}),
        qkv(random_floats(tokens * width, seed, 1.5f)) {
    const auto pages_count = static_cast<int32_t>((tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens);
    for (int32_t i = 0; i < pages_count; ++i) pages.push_back((i * 7 + 3) % pages_count);
    if (pages_count % 7 == 0) std::iota(pages.rbegin(), pages.rend(), 0);
  }
  std::unique_ptr<KvCache> cache(Backend& backend, KvFormat format) const {
    return backend.make_kv_cache(1, kv_heads, dim, static_cast<int>(pages.size()), format);
  }
  // Writes and attends to the tokens in pieces of `chunk`.
  std::vector<float> run(Backend& backend, KvFormat format, int64_t chunk) const {
    const auto kv = cache(backend, format);
    std::vector<float> out(at(tokens * heads * dim), 777.0f);
    for (int64_t past = 0; past < tokens; past += chunk) {
      const std::vector<SequenceRows> rows = {{0, std::min(chunk, tokens - past), past, pages}};
      run(backend, *kv, rows, qkv.data() + past * width, out.data() + past * heads * dim);
    }
    return out;
  }
  void run(Backend& backend, KvCache& kv, const std::vector<SequenceRows>& rows, const float* from, float* out) const {
    backend.ops().kv_write(kv, 0, from + heads * dim, from + (heads + kv_heads) * dim, width, rows);
    backend.ops().paged_attention(kv, 0, from, width, heads, scale(), rows, out);
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(dim)); }

  int heads, kv_heads, dim;
  int64_t tokens, width;
  std::vector<float> qkv;
  std::vector<int32_t> pages;
};

class CpuAttentionTest : public testing::TestWithParam<Config> {
 protected:
  std::unique_ptr<Backend> backend(int threads = 2) const {
    return make_cpu_backend(
        {.threads = threads, .precision = GetParam().precision, .instruction_set = GetParam().instruction_set});
  }
  bool tiles() const { return GetParam().instruction_set.find("amx") != std::string::npos; }
  bool slow() const { return GetParam().instruction_set != "avx2" && GetParam().instruction_set != "avx512"; }

  bool integers(KvFormat format) const {
    return format == KvFormat::kInt8 || (GetParam().precision == Precision::kBFloat16 && !tiles());
  }

  // Root of the mean squared error relative to the values' own, of queries with scores of about 2.
  float tolerance(KvFormat format) const {
    if (format == KvFormat::kInt8) return 0.015f;
    if (GetParam().precision == Precision::kFloat32) return 1e-5f;
    return tiles() ? 0.008f : 0.0015f;
  }
  static double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
    double error = 0, size = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double e = double{got[i]} - want[i];
      error += e * e;
      size += double{want[i]} * want[i];
    }
    return std::sqrt(error / size);  // NaN where anything is
  }

  std::unique_ptr<Backend> ref_ = make_ref_backend();
};

TEST_P(CpuAttentionTest, PagesAgreeWithTheReference) {
  const auto cpu = backend();
  for (const int dim : {24, 64, 72, 80, 128}) {
    if (slow() && (dim == 64 || dim == 80)) continue;
    for (const int group : {1, 2, 4, 8}) {
      for (const int64_t tokens : {1, 31, 33, 127, 130}) {
        if (slow() && tokens == 127) continue;
        const Sequence s(2 * group, 2, dim, tokens, static_cast<uint32_t>(dim + group));
        const auto want = s.run(*ref_, KvFormat::kPlain, tokens);
        for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
          EXPECT_LT(relative_error(s.run(*cpu, format, tokens), want), tolerance(format))
              << dim << " group " << group << " tokens " << tokens << (format == KvFormat::kInt8 ? " int8" : "");
        }
      }
    }
  }
}

// 4097 tokens: three spans, the last with one token; only the last rows are asked for. Of seven key heads one thread takes five
// and two together, two threads two at a time and a span each.
TEST_P(CpuAttentionTest, LongContext) {
  for (const auto& [dim, group, kv_heads] : {std::tuple{24, 4, 1}, {128, 2, 1}, {24, 2, 7}}) {
    const int64_t tokens = 4097, last = 3, heads = group * kv_heads;
    const Sequence s(static_cast<int>(heads), kv_heads, dim, tokens, 5);
    const auto tail_of = [&](Backend& side, KvFormat format) {
      const auto kv = s.cache(side, format);
      std::vector<float> out(at(last * heads * dim));
      const std::vector<SequenceRows> head = {{0, tokens - last, 0, s.pages}}, tail = {{0, last, tokens - last, s.pages}};
      side.ops().kv_write(*kv, 0, s.qkv.data() + heads * dim, s.qkv.data() + (heads + kv_heads) * dim, s.width, head);
      s.run(side, *kv, tail, s.qkv.data() + (tokens - last) * s.width, out.data());
      return out;
    };
    const auto want = tail_of(*ref_, KvFormat::kPlain);
    for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
      const auto got = tail_of(*backend(), format);
      EXPECT_LT(relative_error(got, want), tolerance(format)) << dim << ", " << kv_heads << " key heads";
      EXPECT_EQ(tail_of(*backend(1), format), got) << dim << ", " << kv_heads << " key heads";
    }
  }
}

TEST_P(CpuAttentionTest, ChunksAndThreadsDoNotChangeABit) {
  const int64_t tokens = slow() ? 200 : 2300;
  const Sequence s(6, 3, 40, tokens, 9);
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    const auto one = backend(1);
    const auto want = s.run(*one, format, tokens);
    for (const int threads : {1, 2, 5}) {
      const auto cpu = backend(threads);
      for (const int64_t chunk : {int64_t{1}, int64_t{7}, int64_t{64}, int64_t{129}, tokens}) {
        if (chunk == 1 && threads != 2) continue;
        ASSERT_EQ(s.run(*cpu, format, chunk), want) << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

TEST_P(CpuAttentionTest, SequencesSideBySideGiveTheSameBits) {
  const auto cpu = backend();
  const Sequence a(4, 2, 64, 77, 1), b(4, 2, 64, 30, 2);
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    const auto kv = cpu->make_kv_cache(1, 2, 64, 4, format);
    const std::vector<int32_t> a_pages = {2, 0, 3}, b_pages = {1};
    std::vector<float> both(a.qkv), out(at((a.tokens + b.tokens) * 4 * 64));
    both.insert(both.end(), b.qkv.begin(), b.qkv.end());
    a.run(*cpu, *kv, {{0, a.tokens, 0, a_pages}, {a.tokens, b.tokens, 0, b_pages}}, both.data(), out.data());
    auto want = a.run(*cpu, format, a.tokens);
    const auto second = b.run(*cpu, format, b.tokens);
    want.insert(want.end(), second.begin(), second.end());
    EXPECT_EQ(out, want);
  }
}

TEST_P(CpuAttentionTest, StalePagesAreNeverRead) {
  const auto cpu = backend();
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    for (const int64_t tokens : {1, 31, 33, 63, 65, 130}) {
      const Sequence s(4, 2, 24, tokens, 3);
      const auto want = s.run(*cpu, format, tokens);
      const auto kv = s.cache(*cpu, format);
      const auto slots = static_cast<int64_t>(s.pages.size()) * KvCache::kPageTokens;
      const std::vector<float> stale(at(slots * s.width), std::nanf(""));
      std::vector<float> got(want.size());
      cpu->ops().kv_write(*kv, 0, stale.data(), stale.data(), s.width, std::vector<SequenceRows>{{0, slots, 0, s.pages}});
      s.run(*cpu, *kv, {{0, tokens, 0, s.pages}}, s.qkv.data(), got.data());
      EXPECT_EQ(got, want) << tokens;
    }
  }
}

// What is not a number shows, in integers only to the rows that see it.
TEST_P(CpuAttentionTest, NotANumberShows) {
  const auto cpu = backend();
  const int64_t bad = 70, tokens = 100;
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    for (const int64_t column : {4 * 24, 6 * 24 + 5}) {  // of the key, of the value
      Sequence s(4, 2, 24, tokens, 3);
      const auto want = s.run(*cpu, format, tokens);
      s.qkv[at(bad * s.width + column)] = column == 4 * 24 ? std::nanf("") : INFINITY;
      const auto got = s.run(*cpu, format, tokens);
      for (int64_t row = 0; row < tokens; ++row) {
        bool finite = true;
        for (int64_t i = row * 96; i < row * 96 + 48; ++i) {  // the heads of that key head
          finite = finite && std::isfinite(got[at(i)]);
          if (row < bad && integers(format)) {  // in a float kernel's tile an earlier row may meet 0 * NaN
            ASSERT_EQ(got[at(i)], want[at(i)]) << row;
          }
        }
        ASSERT_TRUE(row < bad || !finite) << row;
      }
    }
  }
}

// A token that outweighs every other by 2^17, and as many of the others as to matter together: nothing of them may be lost
// to rounding.
TEST_P(CpuAttentionTest, ManySmallProbabilitiesBesideALargeOne) {
  const auto cpu = backend();
  const int dim = 16;
  const int64_t tokens = slow() ? 8192 : 131072;
  const float gap = std::log(static_cast<float>(tokens));
  Sequence s(1, 1, dim, tokens, 4);
  for (int64_t t = 0; t < tokens; ++t) {
    float* const row = s.qkv.data() + t * s.width;
    std::fill_n(row, s.width, 0.0f);
    row[0] = 4;                                       // query
    row[dim] = t == 40 ? gap : 0;                     // key: scale is 1 / 4
    row[2 * dim] = t == 40 ? 1.0f : 0, row[2 * dim + 1] = t == 40 ? 0 : 1.0f;
  }
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    const auto kv = s.cache(*cpu, format);
    std::vector<float> out(dim);
    const std::vector<SequenceRows> all = {{0, tokens, 0, s.pages}}, last = {{tokens - 1, 1, tokens - 1, s.pages}};
    cpu->ops().kv_write(*kv, 0, s.qkv.data() + dim, s.qkv.data() + 2 * dim, s.width, all);
    const std::vector<SequenceRows> row = {{0, 1, tokens - 1, s.pages}};
    cpu->ops().paged_attention(*kv, 0, s.qkv.data(), s.width, 1, s.scale(), row, out.data());
    const float tolerance = tiles() && GetParam().precision == Precision::kBFloat16 && format == KvFormat::kPlain ? 0.03f : 0.005f;
    EXPECT_NEAR(out[0], 0.5f, tolerance);
    EXPECT_NEAR(out[1], 0.5f, tolerance);
  }
}

// Heads of nothing, of little and of much.
TEST_P(CpuAttentionTest, ExtremeValues) {
  const auto cpu = backend();
  for (const float size : {0.0f, 1e-20f, 1e-4f, 1e4f}) {
    Sequence s(2, 1, 32, 70, 8);
    for (int64_t t = 0; t < s.tokens; ++t) {
      for (int64_t i = 3 * 32; i < 4 * 32; ++i) s.qkv[at(t * s.width + i)] *= t % 3 == 0 ? size : 1;  // values
    }
    const auto want = s.run(*ref_, KvFormat::kPlain, 70);
    for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
      EXPECT_LT(relative_error(s.run(*cpu, format, 70), want), tolerance(format)) << size;
    }
  }
  Sequence flat(2, 1, 32, 70, 8);  // no key matters more than another
  for (int64_t t = 0; t < flat.tokens; ++t) std::fill_n(flat.qkv.begin() + t * flat.width, 64, 0.0f);
  EXPECT_LT(relative_error(flat.run(*cpu, KvFormat::kInt8, 70), flat.run(*ref_, KvFormat::kPlain, 70)), 0.01);
  std::fill(flat.qkv.begin(), flat.qkv.end(), 1.0f);  // sums of a block at their largest
  for (const float x : flat.run(*cpu, KvFormat::kInt8, 70)) ASSERT_NEAR(x, 1.0f, 1e-3f);
  for (const float x : flat.run(*cpu, KvFormat::kPlain, 70)) ASSERT_NEAR(x, 1.0f, 1e-3f);
}

TEST_P(CpuAttentionTest, Segments) {
  const auto cpu = backend();
  for (const int dim : {16, 24, 64, 72, 80, 128}) {
    for (const auto& [segment, count] : {std::pair{1, 2}, {4, 3}, {31, 1}, {130, 2}, {264, 1}, {2100, 1}}) {
      if (segment == 2100 && (dim != 24 || slow())) continue;
      const int heads = segment == 2100 ? 1 : 3;
      const int64_t rows = segment * count, width = heads * dim;
      const auto qkv = random_floats(rows * 3 * width, 1, 1.5f);
      std::vector<float> got(at(rows * width)), want = got;
      const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
      ref_->ops().segment_attention(qkv.data(), rows, segment, heads, dim, scale, KvFormat::kPlain, want.data());
      cpu->ops().segment_attention(qkv.data(), rows, segment, heads, dim, scale, KvFormat::kPlain, got.data());
      EXPECT_LT(relative_error(got, want), tolerance(KvFormat::kPlain)) << dim << " segment " << segment;
      cpu->ops().segment_attention(qkv.data(), rows, segment, heads, dim, scale, KvFormat::kInt8, got.data());
      EXPECT_LT(relative_error(got, want), 0.025) << dim << " segment " << segment << ", 8 bits";
    }
  }
}

// What all keys have in common must not take their eight bits, and one large value not those of another token.
TEST_P(CpuAttentionTest, SegmentsOfUnequalNumbers) {
  const auto cpu = backend();
  const int dim = 64, heads = 2;
  const int64_t rows = 150, width = int64_t{heads} * dim;
  auto qkv = random_floats(rows * 3 * width, 5, 1.0f);
  for (int64_t r = 0; r < rows; ++r) {
    float* const keys = qkv.data() + r * 3 * width + width;
    for (int64_t i = 0; i < width; ++i) keys[i] += i % 7 == 0 ? 40.0f : 0.0f;
    for (int64_t i = 0; i < width && r % 9 == 0; ++i) keys[width + i] *= 30;
  }
  std::vector<float> got(at(rows * width)), want = got;
  ref_->ops().segment_attention(qkv.data(), rows, rows, heads, dim, 0.05f, KvFormat::kPlain, want.data());
  cpu->ops().segment_attention(qkv.data(), rows, rows, heads, dim, 0.05f, KvFormat::kInt8, got.data());
  EXPECT_LT(relative_error(got, want), 0.025);
  std::fill(qkv.begin(), qkv.end(), 1.0f);  // sums of a block at their largest
  cpu->ops().segment_attention(qkv.data(), rows, rows, heads, dim, 1.0f, KvFormat::kInt8, got.data());
  for (const float x : got) ASSERT_NEAR(x, 1.0f, 2e-3f);
}

// Bytes of a page: what a memory plan counts on.
TEST_P(CpuAttentionTest, PageBytes) {
  const auto cpu = backend();
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    const auto kv = cpu->make_kv_cache(3, 2, 128, 5, format);
    EXPECT_EQ(kv->bytes(), 5 * cpu->kv_page_bytes(3, 2, 128, format));
  }
  EXPECT_LE(cpu->kv_page_bytes(1, 1, 128, KvFormat::kInt8), size_t{32} * (2 * 128 + 8));
}

std::vector<Config> configs() {
  std::vector<Config> out;
  for (const auto& set : cpu_instruction_sets()) {
    for (const auto precision : {Precision::kFloat32, Precision::kBFloat16}) out.push_back({set, precision});
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Sets, CpuAttentionTest, testing::ValuesIn(configs()), [](const auto& test) {
  std::string name = test.param.instruction_set + (test.param.precision == Precision::kFloat32 ? "_f32" : "_bf16");
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace qvl
