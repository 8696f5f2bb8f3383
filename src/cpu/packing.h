// Matrices into panels of 16 outputs (layout: kernels/kernels.h).
#pragma once

#include <cstdint>

#include "cpu/kernels/quant.h"
#include "tensor/tensor.h"

namespace qvl::cpu {

// Bytes of one panel of a matrix with `in` inputs.
inline size_t panel_bytes(int64_t in, bool bf16) {
  return static_cast<size_t>(bf16 ? (in + 1) / 2 * 2 * kPanel * 2 : in * kPanel * 4);
}
inline int64_t panel_count(int64_t out) { return (out + kPanel - 1) / kPanel; }
// A matrix of int8 in halves is the upper ones of all panels, so many bytes, then the lower ones of all outputs.
inline size_t high_bytes(int64_t out, int64_t in) { return static_cast<size_t>(panel_count(out) * block_count(in)) * sizeof(HighBlock); }
// Where element (output, input) of a matrix lives, in elements (2 or 4 bytes) from the first panel.
inline size_t panel_index(int64_t output, int64_t input, int64_t in, bool bf16) {
  const int64_t panel = output / kPanel, lane = output % kPanel;
  const int64_t even_in = (in + 1) / 2 * 2;
  return static_cast<size_t>(bf16 ? (panel * even_in / 2 + input / 2) * 2 * kPanel + lane * 2 + input % 2
                                  : (panel * in + input) * kPanel + lane);
}

// Rows first_output.. of the packed matrix from a [rows, in] tensor; panels is the whole matrix, zeroed before.
void pack_rows(const ConstTensorView& rows, int64_t first_output, int64_t row_begin, int64_t row_end, bool bf16, std::byte* panels);

// The weights of one output, [in], as the quantised formats define them (kernels/quant.h); the slow truth.
void dequantise_row(const void* panels, QuantFormat format, int64_t in, int64_t output, float* out);

// Likewise of a matrix of int8 in halves with `out` outputs.
void dequantise_halves(const std::byte* matrix, int64_t out, int64_t in, int64_t output, float* values);

}  // namespace qvl::cpu
