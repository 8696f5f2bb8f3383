#include "cpu/cpu_products.h"

#include <algorithm>
#include <vector>

namespace qvl::cpu {
namespace {

constexpr int64_t kTileRows = 16;                   // of the packed inputs of bfloat16 products
constexpr int64_t kFewRows = 12;                    // that wait for the weights' memory
constexpr int64_t kSideBySide = 12;                 // panels: two, three or four of them share a row's inputs
constexpr int64_t kLeastBytes = int64_t{64} << 10;  // of weights that are worth a piece of work

size_t at(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

const std::byte* CpuProducts::quantise(const float* x, int64_t rows, int64_t in, QuantFormat format) {
  constexpr int64_t kGrainElements = 16384;
  const int64_t block = table_.input_block_bytes[static_cast<int>(format)];
  inputs_.grow(at((rows * block_count(in) + kInputSlack) * block));
  pool_.parallel_for(rows, std::max<int64_t>(1, kGrainElements / in), [&](int64_t begin, int64_t end, int) {
    table_.quantize(x + begin * in, in, end - begin, in, format, inputs_.data() + begin * block, rows);
  });
  return inputs_.data();
}

// Each group's rows as tiles of their own, one group after the other.
const std::byte* CpuProducts::pack(std::span<const Group> groups, const float* x, int64_t in) {
  constexpr int64_t kGrainElements = 65536;
  const int64_t tile_bytes = packed_bytes(kTileRows, in);
  int64_t total = 0;
  for (const Group& g : groups) total += packed_bytes(g.rows, in);
  inputs_.grow(at(total));
  std::byte* to = inputs_.data();
  for (const Group& g : groups) {
    const int64_t grain = std::max<int64_t>(1, kGrainElements / (kTileRows * in));
    pool_.parallel_for((g.rows + kTileRows - 1) / kTileRows, grain, [&](int64_t begin, int64_t end, int) {
      const int64_t first = begin * kTileRows, count = std::min(end * kTileRows, g.rows) - first;
      table_.pack_bf16(x + (g.first + first) * in, in, count, in, to + begin * tile_bytes);
    });
    to += packed_bytes(g.rows, in);
  }
  return inputs_.data();
}

// inputs: of this group; total: rows of all groups.
void CpuProducts::run_panels(const Group& group, const std::byte* inputs, int64_t total, const float* x, float* y, int64_t ldy,
                             Finish finish, int64_t begin, int64_t end) const {
  const CpuLinear& w = *group.matrix;
  const float* const bias = w.bias.empty() ? nullptr : w.bias.data();
  float* const c = y + group.first * ldy;
  if (is_quantised(w.format)) {
    table_.product_quant({.inputs = inputs, .rows = group.rows, .stride = total, .panels = w.panels.data(),
                          .format = quant_format(w.format), .in = w.in_features, .panel_begin = begin, .panel_end = end, .c = c,
                          .ldc = ldy, .out = w.out_features, .bias = bias, .finish = finish});
    return;
  }
  (rounds_ && w.bf16() ? table_.product_bf16 : table_.product)(
      {.a = x + group.first * w.in_features, .lda = w.in_features, .rows = group.rows, .panels = w.panels.data(), .bf16 = w.bf16(),
       .in = w.in_features, .panel_begin = begin, .panel_end = end, .c = c, .ldc = ldy, .out = w.out_features,
       .bias = bias, .finish = finish, .packed = inputs});
}

void CpuProducts::run(std::span<const Group> groups, const float* x, float* y, int64_t ldy, Finish finish) {
  if (groups.empty()) return;
  const CpuLinear& first = *groups[0].matrix;
  const int64_t in = first.in_features, panels = panel_count(first.out_features);
  int64_t total = 0;
  for (const Group& g : groups) total += g.rows;
  const bool quantised = is_quantised(first.format), tiles = !quantised && rounds_ && first.bf16();
  const std::byte* const inputs = quantised ? quantise(x, total, in, quant_format(first.format))
                                  : tiles   ? pack(groups, x, in)
                                            : nullptr;
  // Where each group's inputs begin: a block further for each row, or behind the tiles before them.
  std::vector<const std::byte*> inputs_of;
  const std::byte* next = inputs;
  for (const Group& g : groups) {
    inputs_of.push_back(next);
    if (inputs != nullptr) next += quantised ? g.rows * table_.input_block_bytes[static_cast<int>(quant_format(first.format))] : packed_bytes(g.rows, in);
  }
  const auto count = static_cast<int64_t>(groups.size());
  const int64_t least = total > kFewRows ? kSideBySide : std::max<int64_t>(1, kLeastBytes / static_cast<int64_t>(first.panels.size() / at(panels)));
  pool_.parallel_ranges(panels * count, least, [&](int64_t begin, int64_t end, int) {
    // Panels of all groups are counted through.
    for (int64_t from = begin; from < end;) {
      const int64_t group = from / panels, to = std::min(end, (group + 1) * panels);
      run_panels(groups[at(group)], inputs_of[at(group)], total, x, y, ldy, finish, from - group * panels, to - group * panels);
      from = to;
    }
  });
}

}  // namespace qvl::cpu
