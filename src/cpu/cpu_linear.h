// A matrix as the CPU backend holds it: panels of 16 outputs in one of five formats. Data only.
#pragma once

#include <utility>
#include <vector>

#include "cpu/kernels/quant.h"
#include "cpu/packing.h"
#include "ops/ops.h"

namespace qvl::cpu {

enum class PanelFormat : uint32_t { kFloat32 = 0, kBFloat16 = 1, kInt8 = 2, kInt4 = 3, kHalves = 4 };

// int4 or int8 as a whole, for product_quant.
inline bool is_quantised(PanelFormat format) { return format == PanelFormat::kInt8 || format == PanelFormat::kInt4; }
inline QuantFormat quant_format(PanelFormat format) {
  return format == PanelFormat::kInt4 ? QuantFormat::kInt4 : QuantFormat::kInt8;
}
// Bytes of one panel of 16 outputs with `in` inputs.
inline size_t panel_bytes(int64_t in, PanelFormat format) {
  return is_quantised(format) ? quant_panel_bytes(in, quant_format(format)) : panel_bytes(in, format == PanelFormat::kBFloat16);
}

inline size_t matrix_bytes(int64_t out, int64_t in, PanelFormat format) {
  if (format == PanelFormat::kHalves) return high_bytes(out, in) + static_cast<size_t>(out * low_row_bytes(in));
  return static_cast<size_t>(panel_count(out)) * panel_bytes(in, format);
}

struct CpuLinear : Linear {
  // data: matrix_bytes(out, in, format)
  CpuLinear(int64_t out, int64_t in, PanelFormat panel_format, Buffer data)
      : Linear(out, in), format(panel_format), panels(std::move(data)) {}
  size_t packed_bytes() const override { return panels.size(); }
  size_t best_bytes() const override { return format == PanelFormat::kHalves ? high_bytes(out_features, in_features) : panels.size(); }
  PackedMatrix packed() const override { return {static_cast<uint32_t>(format), {panels.data(), panels.size()}, bias}; }
  const std::byte* lower_halves() const { return panels.data() + high_bytes(out_features, in_features); }
  bool bf16() const { return format == PanelFormat::kBFloat16; }
  PanelFormat format;
  Buffer panels;
  std::vector<float> bias;  // [out] or empty
};

inline const CpuLinear& cast(const Linear& w) { return static_cast<const CpuLinear&>(w); }

}  // namespace qvl::cpu
