// Numbers that tests of the CPU's products share.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "cpu/kernels/quant.h"

namespace qvl::cpu {

inline std::vector<float> random_floats(int64_t count, uint32_t seed, float scale = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = normal(rng);
  return out;
}

// Whole numbers with 127 in every block: their scale is exactly one, and rounding them to int8 loses nothing.
inline std::vector<float> exact_inputs(int64_t rows, int64_t in, uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<float> x(static_cast<size_t>(rows * in));
  for (int64_t i = 0; i < rows * in; ++i) {
    x[static_cast<size_t>(i)] = i % in % kBlockInputs == 0 ? 127.0f : static_cast<float>(static_cast<int>(rng() % 255) - 127);
  }
  return x;
}

}  // namespace qvl::cpu
