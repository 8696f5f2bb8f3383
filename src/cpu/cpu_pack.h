// Matrices of a checkpoint into the CPU backend's own. The pool's caller only.
#pragma once

#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "cpu/cpu_linear.h"

namespace qvl::cpu {

// Backend::pack_linear. Plain: bfloat16 where the parts are, or the precision is, else float32.
// Errors: kModel "model_not_finite" where the format is quantised and a weight is NaN or infinite.
std::unique_ptr<CpuLinear> pack_matrix(ThreadPool& pool, Precision precision, std::span<const ConstTensorView> parts,
                                       std::span<const float> bias, WeightFormat format);

}  // namespace qvl::cpu
