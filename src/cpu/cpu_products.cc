#include "cpu/cpu_products.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/check.h"

namespace qvl::cpu {
namespace {

constexpr int64_t kTileRows = 16;                   // of the packed inputs of bfloat16 products
constexpr int64_t kFewRows = 12;                    // that wait for the weights' memory
constexpr int64_t kSideBySide = 12;                 // panels: two, three or four of them share a row's inputs
constexpr int64_t kLeastBytes = int64_t{64} << 10;  // of weights that are worth a piece of work

constexpr int64_t kBestBlock = 128;                 // outputs that share a bound

size_t at(int64_t i) { return static_cast<size_t>(i); }
int64_t row_count(std::span<const CpuProducts::Group> groups) {
  int64_t rows = 0;
  for (const auto& group : groups) rows += group.rows;
  return rows;
}
int64_t least_panels(int64_t panel_bytes) { return std::max<int64_t>(1, kLeastBytes / panel_bytes); }

// The largest of y + sign * reach, in lanes, which the compiler turns into vectors; what is not a number does not count.
float largest(const float* y, const float* reach, float sign, int64_t count) {
  constexpr int64_t kLanes = 16;
  float most[kLanes];
  std::fill_n(most, kLanes, -INFINITY);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = y[i + lane] + sign * reach[i + lane];
      most[lane] = value > most[lane] ? value : most[lane];
    }
  }
  for (; i < count; ++i) most[0] = std::max(most[0], y[i] + sign * reach[i]);
  return *std::max_element(most, most + kLanes);
}

}  // namespace

const std::byte* CpuProducts::round(const float* x, int64_t rows, int64_t in, QuantFormat format, Buffer& to) {
  const int64_t block = table_.input_block_bytes[static_cast<int>(format)];
  to.grow(at((rows * block_count(in) + kInputSlack) * block));
  pool_.parallel_for(rows, row_grain(in), [&](int64_t begin, int64_t end, int) {
    table_.quantize(x + begin * in, in, end - begin, in, format, to.data() + begin * block, rows);
  });
  return to.data();
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
  const CpuLinear& first = *groups[0].matrix;
  const std::byte* inputs = nullptr;
  if (is_quantised(first.format)) inputs = round(x, row_count(groups), first.in_features, quant_format(first.format), inputs_);
  else if (rounds_ && first.bf16()) inputs = pack(groups, x, first.in_features);
  run_groups(groups, inputs, x, y, ldy, finish);
}

void CpuProducts::run_rounded(std::span<const Group> groups, const std::byte* inputs, float* y, int64_t ldy, Finish finish) {
  run_groups(groups, inputs, nullptr, y, ldy, finish);
}

void CpuProducts::run_groups(std::span<const Group> groups, const std::byte* inputs, const float* x, float* y, int64_t ldy, Finish finish) {
  const CpuLinear& first = *groups[0].matrix;
  const int64_t in = first.in_features, panels = panel_count(first.out_features), total = row_count(groups);
  // Where each group's inputs begin: a block further for each row, or behind the tiles before them.
  std::vector<const std::byte*> inputs_of;
  const std::byte* next = inputs;
  for (const Group& g : groups) {
    inputs_of.push_back(next);
    if (inputs != nullptr) next += is_quantised(first.format) ? g.rows * table_.input_block_bytes[static_cast<int>(quant_format(first.format))] : packed_bytes(g.rows, in);
  }
  const auto count = static_cast<int64_t>(groups.size());
  const int64_t least = total > kFewRows ? kSideBySide : least_panels(static_cast<int64_t>(first.panels.size()) / panels);
  pool_.parallel_ranges(panels * count, least, [&](int64_t begin, int64_t end, int) {
    // Panels of all groups are counted through.
    for (int64_t from = begin; from < end;) {
      const int64_t group = from / panels, to = std::min(end, (group + 1) * panels);
      run_panels(groups[at(group)], inputs_of[at(group)], total, x, y, ldy, finish, from - group * panels, to - group * panels);
      from = to;
    }
  });
}

// All values from their upper halves, and how far each may be off; then the lower halves of those that may be wanted.
void CpuProducts::run_halves(const CpuLinear& w, const float* x, int64_t rows, float* y, int64_t ldy, std::span<const BestOf> best) {
  QVL_CHECK(best.empty() || std::ssize(best) == rows, "{} rows, {} of them wanted in part", rows, best.size());
  const int64_t in = w.in_features, out = w.out_features, blocks = block_count(in);
  const std::byte* const inputs = round(x, rows, in, QuantFormat::kInt4, inputs_);
  float* const energy = energy_.grow(blocks * rows);
  for (int64_t i = 0; i < blocks * rows; ++i) {
    const auto& block = reinterpret_cast<const InputBlock*>(inputs)[i];
    int32_t squares = 0;
    for (const int8_t q : block.q) squares += q * q;
    energy[i] = block.scale * block.scale * static_cast<float>(squares);
  }
  float* const reach = reach_.grow(rows * ldy);
  pool_.parallel_ranges(panel_count(out), least_panels(blocks * static_cast<int64_t>(sizeof(HighBlock))), [&](int64_t begin, int64_t end, int) {
    table_.product_high({.inputs = inputs, .rows = rows, .stride = rows, .energy = energy, .panels = w.panels.data(), .in = in,
                         .panel_begin = begin, .panel_end = end, .y = y, .reach = reach, .ldy = ldy, .out = out});
  });
  for (int64_t r = 0; r < rows; ++r) {
    float* const row = y + r * ldy;
    const float* const row_reach = reach + r * ldy;
    const float bound = best.empty() ? -INFINITY : bound_of(row, row_reach, out, best[at(r)]);
    pool_.parallel_for((out + kBestBlock - 1) / kBestBlock, 16, [&](int64_t begin, int64_t end, int) {
      for (; begin < end; ++begin) {
        const int64_t first = begin * kBestBlock, last = std::min(out, first + kBestBlock);
        if (largest(row + first, row_reach + first, 1, last - first) < bound) continue;
        int32_t outputs[kBestBlock];
        int64_t count = 0;
        for (int64_t i = first; i < last; ++i) {
          outputs[count] = static_cast<int32_t>(i);
          count += !(row[i] + row_reach[i] < bound);
        }
        table_.product_low({.inputs = reinterpret_cast<const InputBlock*>(inputs) + r, .stride = rows, .rows = w.lower_halves(), .in = in,
                            .outputs = outputs, .count = count, .y = row});
      }
    });
  }
}

// As many blocks have a value that surely exceeds it.
float CpuProducts::bound_of(const float* y, const float* reach, int64_t out, const BestOf& best) {
  if (best.outputs > 0) out = std::min<int64_t>(out, best.outputs);
  const int64_t blocks = (out + kBestBlock - 1) / kBestBlock;
  if (best.count <= 0 || best.count > blocks) return -INFINITY;
  float* const maxima = maxima_.grow(blocks);
  pool_.parallel_for(blocks, 128, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBestBlock;
      maxima[block] = largest(y + first, reach + first, -1, std::min(out - first, kBestBlock));
    }
  });
  std::nth_element(maxima, maxima + best.count - 1, maxima + blocks, std::greater<>());
  return maxima[best.count - 1] - best.within;
}

}  // namespace qvl::cpu
