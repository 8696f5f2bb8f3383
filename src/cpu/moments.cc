#include "cpu/moments.h"

#include <algorithm>
#include <cstring>

namespace qvl::cpu {
namespace {

// A tile of 4 by 16 sums stays in registers for so many rows; then it is added to the block, which so is read and written rarely and keeps more
// digits than one long sum in float would.
constexpr int64_t kRows = 128, kHeight = 4, kWidth = 16;
constexpr int64_t kBlock = InputMoments::kBlock;

typedef float F8 __attribute__((vector_size(32)));
typedef float F8Loose __attribute__((vector_size(32), aligned(4), may_alias));

// x: [rows][kBlock], zeros past the inputs.
[[gnu::always_inline]] inline void add_rows(const float* x, int64_t rows, int64_t inputs, float* sums) {
  for (int64_t i = 0; i < inputs; i += kHeight) {
    for (int64_t j = 0; j <= i + kHeight - 1; j += kWidth) {
      F8 tile[kHeight][2] = {};
      for (int64_t r = 0; r < rows; ++r) {
        const float* const row = x + r * kBlock;
        const F8 a = *reinterpret_cast<const F8Loose*>(row + j), b = *reinterpret_cast<const F8Loose*>(row + j + 8);
        for (int64_t k = 0; k < kHeight; ++k) {
          const F8 factor = F8{} + row[i + k];
          tile[k][0] += factor * a;
          tile[k][1] += factor * b;
        }
      }
      for (int64_t k = 0; k < kHeight && i + k < inputs; ++k) {
        float* const to = sums + InputMoments::row_begin(i + k) + j;
        const int64_t count = std::min(kWidth, i + k - j + 1);
        for (int64_t l = 0; l < count; ++l) to[l] += tile[k][l / 8][l % 8];
      }
    }
  }
}

void add_rows_baseline(const float* x, int64_t rows, int64_t inputs, float* sums) { add_rows(x, rows, inputs, sums); }
#if defined(__x86_64__)
[[gnu::target("avx2,fma")]] void add_rows_avx2(const float* x, int64_t rows, int64_t inputs, float* sums) {
  add_rows(x, rows, inputs, sums);
}
#endif

using AddRows = void (*)(const float*, int64_t, int64_t, float*);
AddRows best_add_rows() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return add_rows_avx2;
#endif
  return add_rows_baseline;
}

}  // namespace

void add_moments(const float* x, int64_t rows, int64_t block, InputMoments& to) {
  static const AddRows run = best_add_rows();
  const int64_t inputs = to.block_inputs(block);
  alignas(64) float part[kRows * kBlock];
  if (inputs < kBlock) std::memset(part, 0, sizeof part);
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t count = std::min(kRows, rows - first);
    for (int64_t r = 0; r < count; ++r) {
      std::memcpy(part + r * kBlock, x + (first + r) * to.inputs() + block * kBlock, static_cast<size_t>(inputs) * sizeof(float));
    }
    run(part, count, inputs, to.block(block));
  }
}

}  // namespace qvl::cpu
