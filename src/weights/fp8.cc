#include "weights/fp8.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace qvl {

Shape fp8_scale_shape(const Shape& weight) {
  QVL_CHECK(weight.size() == 2);
  const auto blocks = [](int64_t n) { return n / kFp8Block + (n % kFp8Block != 0); };
  return {blocks(weight[0]), blocks(weight[1])};
}

void dequantise_fp8(const ConstTensorView& weight, const ConstTensorView& scale, float* out) {
  QVL_CHECK(weight.dtype == DType::kF8E4M3 && scale.shape == fp8_scale_shape(weight.shape));
  static const std::array<float, 256> kValues = [] {
    std::array<float, 256> values;
    for (size_t i = 0; i < values.size(); ++i) values[i] = f8e4m3_to_float(static_cast<uint8_t>(i));
    return values;
  }();
  if (weight.elements() == 0) return;  // one side may still be huge
  const int64_t rows = weight.shape[0], columns = weight.shape[1];
  const std::vector<float> scales = to_float_vector(scale, "weight_scale_inv");
  const uint8_t* in = weight.as<uint8_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const float* row_scales = scales.data() + row / kFp8Block * scale.shape[1];
    for (int64_t begin = 0; begin < columns; begin += kFp8Block) {
      const float s = row_scales[begin / kFp8Block];
      const int64_t end = std::min(begin + kFp8Block, columns);
      for (int64_t i = begin; i < end; ++i) out[row * columns + i] = kValues[in[row * columns + i]] * s;
    }
  }
}

}  // namespace qvl
