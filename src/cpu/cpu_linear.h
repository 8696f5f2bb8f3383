// A matrix as the CPU backend holds it: panels of 16 outputs in one of four formats. Data only.
#pragma once

#include <utility>
#include <vector>

#include "cpu/kernels/quant.h"
#include "cpu/packing.h"
#include "ops/ops.h"

namespace qvl::cpu {

enum class PanelFormat : uint32_t { kFloat32 = 0, kBFloat16 = 1, kInt8 = 2, kInt4 = 3 };

inline bool is_quantised(PanelFormat format) { return format >= PanelFormat::kInt8; }
inline QuantFormat quant_format(PanelFormat format) {
  return format == PanelFormat::kInt4 ? QuantFormat::kInt4 : QuantFormat::kInt8;
}
// Bytes of one panel of 16 outputs with `in` inputs.
inline size_t panel_bytes(int64_t in, PanelFormat format) {
  return is_quantised(format) ? quant_panel_bytes(in, quant_format(format)) : panel_bytes(in, format == PanelFormat::kBFloat16);
}

inline size_t matrix_bytes(int64_t out, int64_t in, PanelFormat format) {
  return static_cast<size_t>(panel_count(out)) * panel_bytes(in, format);
}

struct CpuLinear : Linear {
  // data: matrix_bytes(out, in, format)
  CpuLinear(int64_t out, int64_t in, PanelFormat panel_format, Buffer data)
      : Linear(out, in), format(panel_format), panels(std::move(data)) {}
  size_t packed_bytes() const override { return panels.size(); }
  PackedMatrix packed() const override { return {static_cast<uint32_t>(format), {panels.data(), panels.size()}, bias}; }
  bool bf16() const { return format == PanelFormat::kBFloat16; }
  PanelFormat format;
  Buffer panels;
  std::vector<float> bias;  // [out] or empty
};

inline const CpuLinear& cast(const Linear& w) { return static_cast<const CpuLinear&>(w); }

}  // namespace qvl::cpu
