// Instruction loops are inline assembly as a whole, so that no compiler flag, no reordering and no register spill decides
// what is measured, and so that a set which the compiler does not target can be measured where the processor has it.
#include "cpu/roofs.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "base/stopwatch.h"
#include "base/thread_pool.h"
#include "cpu/instruction_sets.h"
#include "tensor/tensor.h"

namespace qvl {
namespace {

// Far beyond any cache. Reading is timed over as long as some tokens take, not by its fastest pass: where a machine is shared, the
// memory's speed halves and doubles within milliseconds, and only what lasts is there for a model to reach.
constexpr size_t kReadBytes = size_t{512} << 20;
constexpr int64_t kPieceBytes = int64_t{2} << 20;
constexpr double kReadSeconds = 0.25, kLoopSeconds = 0.08;

// ---- memory

using ReadPiece = uint64_t (*)(const std::byte* data, int64_t bytes);

uint64_t read_words(const std::byte* data, int64_t bytes) {
  uint64_t sum[8] = {};
  for (int64_t i = 0; i < bytes; i += 64) {
    for (int j = 0; j < 8; ++j) {
      uint64_t word;
      std::memcpy(&word, data + i + 8 * j, 8);
      sum[j] += word;
    }
  }
  return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

#if defined(__x86_64__)
// A line from each of the streams in turn.
template <int kStreams, int kAhead>
__attribute__((target("avx2"))) uint64_t read_avx2(const std::byte* data, int64_t bytes) {
  const int64_t stream = bytes / kStreams;
  __m256i sum[2 * kStreams];
  for (auto& s : sum) s = _mm256_setzero_si256();
  for (int64_t i = 0; i < stream; i += 64) {
    for (int j = 0; j < kStreams; ++j) {
      const std::byte* const line = data + j * stream + i;
      if constexpr (kAhead > 0) _mm_prefetch(reinterpret_cast<const char*>(line + kAhead), _MM_HINT_T0);
      sum[2 * j] = _mm256_add_epi64(sum[2 * j], _mm256_load_si256(reinterpret_cast<const __m256i*>(line)));
      sum[2 * j + 1] = _mm256_add_epi64(sum[2 * j + 1], _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 32)));
    }
  }
  for (int j = 1; j < 2 * kStreams; ++j) sum[0] = _mm256_add_epi64(sum[0], sum[j]);
  return static_cast<uint64_t>(_mm256_extract_epi64(sum[0], 0) + _mm256_extract_epi64(sum[0], 1) +
                               _mm256_extract_epi64(sum[0], 2) + _mm256_extract_epi64(sum[0], 3));
}

// kFar: bytes from which on lines are fetched into the second cache, or 0.
template <int kStreams, int kAhead, int kFar>
__attribute__((target("avx512f"))) uint64_t read_avx512(const std::byte* data, int64_t bytes) {
  const int64_t stream = bytes / kStreams;
  __m512i sum[kStreams];
  for (auto& s : sum) s = _mm512_setzero_si512();
  for (int64_t i = 0; i < stream; i += 64) {
    for (int j = 0; j < kStreams; ++j) {
      const std::byte* const line = data + j * stream + i;
      if constexpr (kFar > 0) _mm_prefetch(reinterpret_cast<const char*>(line + kFar), _MM_HINT_T1);
      _mm_prefetch(reinterpret_cast<const char*>(line + kAhead), _MM_HINT_T0);
      sum[j] = _mm512_add_epi64(sum[j], _mm512_load_si512(line));
    }
  }
  for (int j = 1; j < kStreams; ++j) sum[0] = _mm512_add_epi64(sum[0], sum[j]);
  alignas(64) uint64_t words[8];
  _mm512_store_si512(words, sum[0]);
  return words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + words[6] + words[7];
}
#endif

std::vector<ReadPiece> ways_to_read() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    std::vector<ReadPiece> ways = {read_avx2<1, 0>, read_avx2<4, 0>, read_avx2<1, 2048>, read_avx2<4, 2048>};
    if (__builtin_cpu_supports("avx512f")) ways.insert(ways.end(), {read_avx512<4, 2048, 0>, read_avx512<1, 1024, 4096>});
    return ways;
  }
#endif
  return {read_words};
}

Roof measure_read(ThreadPool& pool) {
  Buffer memory(kReadBytes);
  pool.parallel_for(static_cast<int64_t>(kReadBytes), kPieceBytes, [&](int64_t begin, int64_t end, int) {
    std::memset(memory.data() + begin, 1, static_cast<size_t>(end - begin));
  });
  double best = 0;
  std::vector<uint64_t> sums(static_cast<size_t>(pool.size()) * 8);  // a line each
  for (const ReadPiece read : ways_to_read()) {
    int passes = 0;
    const double start = now_s();
    do {
      pool.parallel_for(static_cast<int64_t>(kReadBytes), kPieceBytes, [&](int64_t begin, int64_t end, int thread) {
        sums[static_cast<size_t>(thread) * 8] += read(memory.data() + begin, end - begin);
      });
      ++passes;
    } while (now_s() - start < kReadSeconds);
    best = std::max(best, static_cast<double>(kReadBytes) * passes / (now_s() - start));
  }
  volatile uint64_t sink = sums[0];
  (void)sink;
  return {RoofKind::kRead, "memory read", best};
}

// ---- arithmetic

#if defined(__x86_64__)
// Twelve chains: more than two units times the longest latency. Two registers of real numbers feed all; zeros would
// draw less power and clock higher than any product of a model.
#define QVL_TWELVE(STEP) \
  STEP("0") STEP("1") STEP("2") STEP("3") STEP("4") STEP("5") STEP("6") STEP("7") STEP("8") STEP("9") STEP("10") STEP("11")
#define QVL_ZERO(n) "vpxor %%xmm" n ", %%xmm" n ", %%xmm" n "\n"
#define QVL_LOOP(NAME, LOAD, REGISTER, STEP)                                                                             \
  void NAME(int64_t steps, const void* data) {                                                                           \
    asm volatile(LOAD " (%[data]), %%" REGISTER "14\n" LOAD " 64(%[data]), %%" REGISTER "15\n" QVL_TWELVE(QVL_ZERO)      \
                 "1:\n" QVL_TWELVE(STEP) "decq %[steps]\n jnz 1b\n vzeroupper\n"                                         \
                 : [steps] "+r"(steps)                                                                                   \
                 : [data] "r"(data)                                                                                      \
                 : "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",       \
                   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                                                \
  }
#define QVL_FMA_256(n) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" n "\n"
#define QVL_FMA_512(n) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" n "\n"
#define QVL_BF16_512(n) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" n "\n"
// Sums of two products in 16 bits, summed up in 16 bits, as the int4 and int8 kernels' inner loops do.
#define QVL_MADDUBS_256(n) "vpmaddubsw %%ymm14, %%ymm15, %%ymm13\n vpaddw %%ymm13, %%ymm" n ", %%ymm" n "\n"
#define QVL_MADDWD_256(n) "vpmaddwd %%ymm14, %%ymm15, %%ymm13\n vpaddd %%ymm13, %%ymm" n ", %%ymm" n "\n"
#define QVL_AVX_VNNI_256(n) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" n "\n"
#define QVL_VNNI_256(n) "%{evex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" n "\n"
#define QVL_VNNI_512(n) "vpdpbusd %%zmm14, %%zmm15, %%zmm" n "\n"
QVL_LOOP(fma_256, "vmovups", "ymm", QVL_FMA_256)
QVL_LOOP(fma_512, "vmovups", "zmm", QVL_FMA_512)
QVL_LOOP(bf16_512, "vmovups", "zmm", QVL_BF16_512)
QVL_LOOP(maddubs_256, "vmovups", "ymm", QVL_MADDUBS_256)
QVL_LOOP(maddwd_256, "vmovups", "ymm", QVL_MADDWD_256)
QVL_LOOP(avx_vnni_256, "vmovups", "ymm", QVL_AVX_VNNI_256)
QVL_LOOP(vnni_256, "vmovups", "ymm", QVL_VNNI_256)
QVL_LOOP(vnni_512, "vmovups", "zmm", QVL_VNNI_512)

struct TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Six tiles of sums; the seventh and eighth hold 1 KB of data each.
#define QVL_TILE_LOOP(NAME, DOT)                                                                                       \
  void NAME(int64_t steps, const void* data) {                                                                         \
    alignas(64) const TileConfig config;                                                                               \
    int64_t row_bytes = 64;                                                                                            \
    asm volatile(                                                                                                      \
        "ldtilecfg %[config]\n tileloadd (%[data],%[row],1), %%tmm6\n tileloadd 1024(%[data],%[row],1), %%tmm7\n"      \
        "tilezero %%tmm0\n tilezero %%tmm1\n tilezero %%tmm2\n tilezero %%tmm3\n tilezero %%tmm4\n tilezero %%tmm5\n"  \
        "1:\n" DOT " %%tmm7, %%tmm6, %%tmm0\n" DOT " %%tmm7, %%tmm6, %%tmm1\n" DOT " %%tmm7, %%tmm6, %%tmm2\n"         \
        DOT " %%tmm7, %%tmm6, %%tmm3\n" DOT " %%tmm7, %%tmm6, %%tmm4\n" DOT " %%tmm7, %%tmm6, %%tmm5\n"                \
        "decq %[steps]\n jnz 1b\n tilerelease\n"                                                                       \
        : [steps] "+r"(steps)                                                                                          \
        : [config] "m"(config), [data] "r"(data), [row] "r"(row_bytes)                                                 \
        : "cc", "memory");                                                                                             \
  }
QVL_TILE_LOOP(amx_bf16, "tdpbf16ps")
QVL_TILE_LOOP(amx_int8, "tdpbssd")

struct Cpuid {
  unsigned a = 0, b = 0, c = 0, d = 0;
  Cpuid(unsigned leaf, unsigned part) { __get_cpuid_count(leaf, part, &a, &b, &c, &d); }
};

// The tiles of a process that may use them: whether a native set of kernels does tells both, processor and system.
bool tiles_granted() {
  const auto sets = cpu::native_instruction_sets();
  return std::any_of(sets.begin(), sets.end(), [](const auto& set) { return set.name.starts_with("amx"); });
}

struct Loop {
  RoofKind kind;
  const char* name;
  void (*run)(int64_t steps, const void* data);
  int64_t products;  // of a step
  bool there;
  bool floats;  // float32 data; else bytes, which bfloat16 takes as well
};

std::vector<Loop> loops() {
  const bool avx2 = __builtin_cpu_supports("avx2"), fma = avx2 && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f"), vl = __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  const Cpuid leaf7(7, 0), leaf7_1(7, 1);
  const bool avx_vnni = avx2 && (leaf7_1.a & 1u << 4) != 0, avx512_bf16 = avx512 && (leaf7_1.a & 1u << 5) != 0;
  const bool tiles = tiles_granted();
  constexpr RoofKind kFloat = RoofKind::kFloat, kInt8 = RoofKind::kInt8;
  return {
      {kFloat, "AVX2 float32", fma_256, 12 * 8, fma, true},
      {kFloat, "AVX-512 float32", fma_512, 12 * 16, avx512, true},
      {kFloat, "AVX-512 bfloat16", bf16_512, 12 * 32, avx512_bf16, false},
      {kFloat, "AMX bfloat16", amx_bf16, 6 * 16 * 16 * 32, tiles, false},
      {kInt8, "AVX2 int8, 16-bit sums", maddubs_256, 12 * 32, avx2, false},
      {kInt8, "AVX2 int16", maddwd_256, 12 * 16, avx2, false},
      {kInt8, "AVX-VNNI int8", avx_vnni_256, 12 * 32, avx_vnni, false},
      {kInt8, "AVX-512 VNNI int8, 256 bits", vnni_256, 12 * 32, vnni && vl, false},
      {kInt8, "AVX-512 VNNI int8, 512 bits", vnni_512, 12 * 64, vnni, false},
      {kInt8, "AMX int8", amx_int8, 6 * 16 * 16 * 64, tiles && (leaf7.d & 1u << 25) != 0, false},
  };
}

struct alignas(64) LoopData {
  float floats[32];
  uint8_t bytes[2048];  // as bfloat16: numbers near 1
  LoopData() {
    for (int i = 0; i < 32; ++i) floats[i] = 0.5f + 0.03f * static_cast<float>(i);
    for (int i = 0; i < 2048; ++i) bytes[i] = static_cast<uint8_t>(i % 2 == 1 ? 0x3f : i * 37 % 127 + 1);
  }
};

std::vector<Roof> measure_arithmetic(ThreadPool& pool) {
  const LoopData data;
  std::vector<Roof> roofs;
  for (const Loop& loop : loops()) {
    if (!loop.there) continue;
    const int64_t steps = std::max<int64_t>(1000, (int64_t{1} << 26) / loop.products);  // some milliseconds
    const double seconds = best_seconds(kLoopSeconds, [&] {
      pool.run([&](int) { loop.run(steps, loop.floats ? static_cast<const void*>(data.floats) : data.bytes); });
    });
    roofs.push_back({loop.kind, loop.name, 2.0 * static_cast<double>(loop.products * steps * pool.size()) / seconds});
  }
  return roofs;
}
#else
std::vector<Roof> measure_arithmetic(ThreadPool& pool) {
  constexpr int64_t kSteps = 1 << 20, kChains = 64;
  const double seconds = best_seconds(kLoopSeconds, [&] {
    pool.run([&](int) {
      float sums[kChains] = {};
      volatile float factor = 0.999f;
      const float f = factor;
      for (int64_t i = 0; i < kSteps; ++i) {
        for (float& s : sums) s = s * f + f;
      }
      volatile float sink = 0;
      for (const float s : sums) sink = sink + s;
    });
  });
  return {{RoofKind::kFloat, "float32", 2.0 * static_cast<double>(kSteps * kChains * pool.size()) / seconds}};
}
#endif

}  // namespace

std::vector<Roof> measure_roofs(int threads) {
  ThreadPool pool(threads);
  auto roofs = measure_arithmetic(pool);
  roofs.insert(roofs.begin(), measure_read(pool));
  return roofs;
}

double best_rate(const std::vector<Roof>& roofs, RoofKind kind) {
  double best = 0;
  for (const Roof& roof : roofs) best = roof.kind == kind ? std::max(best, roof.rate) : best;
  return best;
}

std::vector<Roof> better_roofs(std::vector<Roof> a, const std::vector<Roof>& b) {
  for (Roof& roof : a) {
    for (const Roof& other : b) {
      if (other.kind == roof.kind && other.name == roof.name) roof.rate = std::max(roof.rate, other.rate);
    }
  }
  return a;
}

}  // namespace qvl
