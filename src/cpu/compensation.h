// What a block's inputs say about rounding its weights (GPTQ, arXiv 2210.17323, within blocks of 256 inputs). Inputs are rounded one after the other,
// those with the largest squares first, and each one's error is made up for by the inputs that are not rounded yet, as well as an output over the
// recorded rows can be kept. Then each weight in turn moves to the level that is best with the others as they have become. Data only; shared by all
// outputs of a matrix.
#pragma once

#include <cstdint>
#include <vector>

#include "cpu/kernels/quant.h"
#include "ops/input_moments.h"

namespace qvl::cpu {

struct BlockCompensation {
  float importance[kBlockInputs];  // of an input's error, 1 on average; for the search of scales
  int16_t order[kBlockInputs];     // inputs as they are rounded
  // Row k: what the errors of order[0..k-1] take from the weight of order[k], each times its own factor. k (k - 1) / 2 floats before.
  std::vector<float> spread;
  std::vector<float> products;  // [inputs][inputs]: the damped means of products of two inputs, whose squares are 1 on average
};

// Blocks whose sums cannot be used (no rows, NaN) get none: importance 1, all else empty.
BlockCompensation make_compensation(const InputMoments& moments, int64_t block);

}  // namespace qvl::cpu
