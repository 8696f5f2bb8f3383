#include "ops/input_moments.h"

namespace qvl {

InputMoments::InputMoments(int64_t inputs) : inputs_(inputs) {
  for (int64_t first = 0; first < inputs; first += kBlock) {
    sums_.emplace_back(static_cast<size_t>(row_begin(std::min(kBlock, inputs - first))));
  }
}

size_t InputMoments::bytes() const {
  size_t bytes = 0;
  for (const auto& block : sums_) bytes += block.size() * sizeof(float);
  return bytes;
}

void InputMoments::add(const float* x, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r, x += inputs_) {
    for (int64_t b = 0; b < blocks(); ++b) {
      const float* const row = x + b * kBlock;
      float* sums = block(b);
      for (int64_t i = 0; i < block_inputs(b); ++i) {
        for (int64_t j = 0; j <= i; ++j) *sums++ += row[i] * row[j];
      }
    }
  }
}

}  // namespace qvl
