// Sums of x^T x, fast. Pure; called for different blocks by different threads at once.
#pragma once

#include <cstdint>

#include "ops/input_moments.h"

namespace qvl::cpu {

// Adds x[rows, to.inputs()] to one block. Rows are added in ascending order whatever else runs.
void add_moments(const float* x, int64_t rows, int64_t block, InputMoments& to);

}  // namespace qvl::cpu
