#include "cpu/packing.h"

#include <vector>

namespace qvl::cpu {

void pack_rows(const ConstTensorView& rows, int64_t first_output, int64_t row_begin, int64_t row_end, bool bf16,
               std::byte* panels) {
  const int64_t in = rows.shape[1];
  if (bf16 && rows.dtype == DType::kBF16) {
    // Pairs of inputs move as one word. Sixteen rows a time write whole lines of a panel.
    auto* const words = reinterpret_cast<uint32_t*>(panels);
    for (int64_t r = row_begin; r < row_end; ++r) {
      const BF16* const from = rows.as<BF16>() + r * in;
      uint32_t* to = words + panel_index(first_output + r, 0, in, true) / 2;
      for (int64_t i = 0; i + 1 < in; i += 2, to += kPanel) {
        *to = from[i].bits | static_cast<uint32_t>(from[i + 1].bits) << 16;
      }
      if (in % 2 != 0) *to = from[in - 1].bits;
    }
    return;
  }
  std::vector<float> values(static_cast<size_t>(in));
  for (int64_t r = row_begin; r < row_end; ++r) {
    convert_to_float(rows, r * in, in, values.data());
    for (int64_t i = 0; i < in; ++i) {
      const size_t index = panel_index(first_output + r, i, in, bf16);
      if (bf16) {
        reinterpret_cast<BF16*>(panels)[index] = to_bf16(values[static_cast<size_t>(i)]);
      } else {
        reinterpret_cast<float*>(panels)[index] = values[static_cast<size_t>(i)];
      }
    }
  }
}

void dequantise_row(const void* panels, QuantFormat format, int64_t in, int64_t output, float* out) {
  const int64_t panel = output / kPanel, lane = output % kPanel;
  const auto* const first = static_cast<const std::byte*>(panels) + static_cast<size_t>(panel) * quant_panel_bytes(in, format);
  const auto as_float = [](uint16_t bits) { return to_float(BF16{bits}); };
  for (int64_t i = 0; i < in; ++i) {
    const int64_t block = i / kBlockInputs, k = i % kBlockInputs, dword = k / 4, group = k / kGroupInputs;
    if (format == QuantFormat::kInt8) {
      const auto& b = reinterpret_cast<const Int8Block*>(first)[block];
      out[i] = b.d[lane] * static_cast<float>(b.values[dword][4 * lane + k % 4] - 128);
      continue;
    }
    const auto& b = reinterpret_cast<const Int4Block*>(first)[block];
    const int q = b.nibbles[dword / 2][4 * lane + k % 4] >> 4 * (dword % 2) & 15;
    const int scale = static_cast<int>(b.scales[lane] >> 4 * group & 15);
    const int offset = static_cast<int>(b.offsets[lane] >> (4 * (group / 2) + 16 * (group % 2)) & 15);
    out[i] = as_float(b.d[lane]) * static_cast<float>(scale * (q - 8)) +
             as_float(b.dm[lane]) * static_cast<float>(offset < 8 ? offset : offset - 16);
  }
}

void dequantise_halves(const std::byte* matrix, int64_t out, int64_t in, int64_t output, float* values) {
  const int64_t blocks = block_count(in), lane = output % kPanel;
  const auto* const high = reinterpret_cast<const HighBlock*>(matrix) + output / kPanel * blocks;
  const auto* const low = matrix + high_bytes(out, in) + static_cast<size_t>(output * low_row_bytes(in));
  for (int64_t i = 0; i < in; ++i) {
    const int64_t block = i / kBlockInputs, k = i % kBlockInputs, dword = k / 4;
    const int upper = high[block].nibbles[dword / 2][4 * lane + k % 4] >> 4 * (dword % 2) & 15;
    const int lower = static_cast<int>(low[block * kLowBlockBytes + k % kLowBlockBytes]) >> 4 * (k / kLowBlockBytes) & 15;
    values[i] = high[block].d[lane] * static_cast<float>(16 * (upper - 8) + lower - 8);
  }
}

}  // namespace qvl::cpu
