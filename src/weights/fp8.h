// Weights in 8-bit floating point with one scale for each 128 x 128 block (spec 1.5). Thread-safe.
#pragma once

#include "tensor/tensor.h"

namespace qvl {

inline constexpr int64_t kFp8Block = 128;

// The scales that a weight of this shape [out, in] needs: [ceil(out/128), ceil(in/128)].
Shape fp8_scale_shape(const Shape& weight);

// out[o, i] = weight[o, i] * scale[o / 128, i / 128], row-major F32. weight: F8_E4M3 [out, in]; scale: F32 or BF16.
void dequantise_fp8(const ConstTensorView& weight, const ConstTensorView& scale, float* out);

}  // namespace qvl
