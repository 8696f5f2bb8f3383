#include "cpu/quantise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace qvl::cpu {
namespace {

// Eight outputs side by side. Products and sums are rounded one by one (no contraction), so every instruction set and
// every machine gives the same blocks. Compiled without the warning about the ABI of such vectors: after inlining none
// crosses a call.
constexpr int kLanes = 8;
typedef float F8 __attribute__((vector_size(32)));
typedef int32_t I8 __attribute__((vector_size(32)));

#define QVL_INLINE [[gnu::always_inline]] inline

QVL_INLINE F8 splat(float x) { return F8{x, x, x, x, x, x, x, x}; }
QVL_INLINE F8 minimum(F8 a, F8 b) { return a < b ? a : b; }
QVL_INLINE F8 maximum(F8 a, F8 b) { return a > b ? a : b; }
QVL_INLINE F8 clamp(F8 x, float low, float high) { return minimum(maximum(x, splat(low)), splat(high)); }
// To the nearest integer, ties to even, for |x| < 2^22.
QVL_INLINE F8 rounded(F8 x) { return (x + splat(12582912.0f)) - splat(12582912.0f); }
QVL_INLINE F8 absolute(F8 x) { return reinterpret_cast<F8>(reinterpret_cast<I8>(x) & 0x7fffffff); }
// To the nearest bfloat16, ties to even.
QVL_INLINE F8 to_nearest_bf16(F8 x) {
  const I8 bits = reinterpret_cast<I8>(x);
  return reinterpret_cast<F8>((bits + 0x7fff + ((bits >> 16) & 1)) & static_cast<int32_t>(0xffff0000));
}
// 1 / x, and 0 for what is too small to divide by.
QVL_INLINE F8 inverse(F8 x) {
  const I8 usable = absolute(x) > splat(1e-20f);
  return usable ? splat(1) / (usable ? x : splat(1)) : splat(0);
}

// How much the error of each input counts. Alike: products with 1 that need not be made.
struct Alike {
  QVL_INLINE F8 operator()(F8 x, int) const { return x; }
  QVL_INLINE F8 total() const { return splat(kGroupInputs); }
  QVL_INLINE Alike group(int) const { return {}; }
};
struct ByImportance {
  const float* factors;  // of the block's inputs, or from a group's first on
  QVL_INLINE F8 operator()(F8 x, int i) const { return x * splat(factors[i]); }
  QVL_INLINE F8 total() const {
    float sum = 0;
    for (int i = 0; i < kGroupInputs; ++i) sum += factors[i];
    return splat(sum);
  }
  QVL_INLINE ByImportance group(int g) const { return {factors + g * kGroupInputs}; }
};

// Weights of a group and a level's distance and offset: weight = scale * level + offset, levels -8..7.
struct Group {
  F8 sum, squares;   // of the weights, each times its input's importance
  F8 scale, offset;  // the best without rounding of scale and offset
};

struct LevelSums {
  F8 levels, squares, products;  // sums of the levels, of their squares, and of level times weight, by importance
};

QVL_INLINE F8 level_of(F8 weight, F8 offset, F8 inverse_scale) {
  return rounded(clamp((weight - offset) * inverse_scale, -8, 7));
}

template <typename Importance>
QVL_INLINE LevelSums level_sums(const F8* w, Importance counted, F8 offset, F8 inverse_scale) {
  LevelSums sums{splat(0), splat(0), splat(0)};
  for (int i = 0; i < kGroupInputs; ++i) {
    const F8 level = level_of(w[i], offset, inverse_scale);
    const F8 part = counted(level, i);
    sums.levels += part;
    sums.squares += part * level;
    sums.products += part * w[i];
  }
  return sums;
}

template <typename Importance>
QVL_INLINE F8 squared_error(const F8* w, Importance counted, F8 scale, F8 offset) {
  const F8 inverse_scale = inverse(scale);
  F8 even = splat(0), odd = splat(0);
  for (int i = 0; i < kGroupInputs; i += 2) {
    const F8 a = w[i] - offset - scale * level_of(w[i], offset, inverse_scale);
    const F8 b = w[i + 1] - offset - scale * level_of(w[i + 1], offset, inverse_scale);
    even += counted(a, i) * a;
    odd += counted(b, i + 1) * b;
  }
  return even + odd;
}

// The scale and offset of least squared error for a group by itself: starts that span the weights more or less
// narrowly, each refined by least squares with its levels fixed.
template <typename Importance>
QVL_INLINE void fit_group(const F8* w, Importance counted, Group& group) {
  static constexpr float kSpans[] = {1.0f, 0.88f, 0.76f};
  F8 low = w[0], high = w[0];
  group.sum = splat(0), group.squares = splat(0);
  for (int i = 0; i < kGroupInputs; ++i) {
    low = minimum(low, w[i]), high = maximum(high, w[i]);
    const F8 part = counted(w[i], i);
    group.sum += part;
    group.squares += part * w[i];
  }
  const F8 count = counted.total();
  F8 best = splat(INFINITY);
  group.scale = splat(0), group.offset = splat(0);
  for (const float span : kSpans) {
    F8 scale = (high - low) * splat(span / 15), offset = (high + low + scale) * splat(0.5f);
    for (int round = 0; round < 2; ++round) {
      const LevelSums sums = level_sums(w, counted, offset, inverse(scale));
      const F8 determinant = count * sums.squares - sums.levels * sums.levels;
      scale =
          determinant > splat(0) ? (count * sums.products - sums.levels * group.sum) * inverse(determinant) : splat(0);
      offset = (group.sum - scale * sums.levels) / count;
      const F8 error = group.squares - scale * sums.products - offset * group.sum;
      const I8 better = error < best;
      best = better ? error : best;
      group.scale = better ? scale : group.scale;
      group.offset = better ? offset : group.offset;
    }
  }
}

// A block's choice as the format stores it, all as floats.
struct Choice {
  F8 d, dm;
  F8 scale[kGroups], offset[kGroups];  // integers 0..15 and -8..7
  F8 error;
};

// The integers s, m of every group that are best for d, dm among the neighbours of the group's own scale and offset.
template <typename Importance>
QVL_INLINE void choose_integers(const F8* w, Importance counted, const Group* groups, Choice& choice) {
  const F8 inverse_d = inverse(choice.d), inverse_dm = inverse(choice.dm);
  choice.error = splat(0);
  for (int g = 0; g < kGroups; ++g) {
    const F8 near_scale = rounded(clamp(groups[g].scale * inverse_d, 0, 15));
    const F8 near_offset = rounded(clamp(groups[g].offset * inverse_dm, -8, 7));
    F8 best = splat(INFINITY);
    choice.scale[g] = splat(0), choice.offset[g] = splat(0);
    for (int i = -1; i <= 1; ++i) {
      for (int j = -1; j <= 1; ++j) {
        const F8 scale = clamp(near_scale + splat(static_cast<float>(i)), 0, 15);
        const F8 offset = clamp(near_offset + splat(static_cast<float>(j)), -8, 7);
        const F8 error = squared_error(w + g * kGroupInputs, counted.group(g), choice.d * scale, choice.dm * offset);
        const I8 better = error < best;
        best = better ? error : best;
        choice.scale[g] = better ? scale : choice.scale[g];
        choice.offset[g] = better ? offset : choice.offset[g];
      }
    }
    choice.error += best;
  }
}

// d and dm of least squared error for the integers and the levels that they gave.
template <typename Importance>
QVL_INLINE void refit(const F8* w, Importance counted, const Group* groups, Choice& choice) {
  F8 aa = splat(0), ab = splat(0), bb = splat(0), aw = splat(0), bw = splat(0);
  for (int g = 0; g < kGroups; ++g) {
    const F8 s = choice.scale[g], m = choice.offset[g];
    const LevelSums sums = level_sums(w + g * kGroupInputs, counted.group(g), choice.dm * m, inverse(choice.d * s));
    aa += s * s * sums.squares;
    ab += s * m * sums.levels;
    bb += m * m * counted.group(g).total();
    aw += s * sums.products;
    bw += m * groups[g].sum;
  }
  const F8 determinant = aa * bb - ab * ab;
  const I8 both = determinant > splat(1e-6f) * aa * bb;  // else one of them says nothing of its own
  const I8 no_scales = aa == splat(0);
  const F8 inverse_determinant = inverse(both ? determinant : splat(1));
  choice.d = to_nearest_bf16(both ? (aw * bb - bw * ab) * inverse_determinant : aw * inverse(aa));
  choice.dm = to_nearest_bf16(both        ? (aa * bw - ab * aw) * inverse_determinant
                              : no_scales ? bw * inverse(bb)
                                          : splat(0));
}

QVL_INLINE void keep_better(const Choice& found, Choice& best) {
  const I8 better = found.error < best.error;
  best.d = better ? found.d : best.d;
  best.dm = better ? found.dm : best.dm;
  best.error = better ? found.error : best.error;
  for (int g = 0; g < kGroups; ++g) {
    best.scale[g] = better ? found.scale[g] : best.scale[g];
    best.offset[g] = better ? found.offset[g] : best.offset[g];
  }
}

// What needs no search: no offsets, every group's largest weight at a level's end. The search must beat it.
template <typename Importance>
QVL_INLINE void plain_choice(const F8* w, Importance counted, Choice& choice) {
  F8 largest[kGroups], top = splat(0);
  for (int g = 0; g < kGroups; ++g) {
    largest[g] = splat(0);
    for (int i = 0; i < kGroupInputs; ++i) largest[g] = maximum(largest[g], absolute(w[g * kGroupInputs + i]));
    top = maximum(top, largest[g]);
  }
  choice.d = to_nearest_bf16(top * splat(1.0f / (15 * 7.5f)));
  choice.dm = splat(0);
  choice.error = splat(0);
  const F8 inverse_d = inverse(choice.d);
  for (int g = 0; g < kGroups; ++g) {
    choice.scale[g] = rounded(clamp(largest[g] * splat(1.0f / 7.5f) * inverse_d, 0, 15));
    choice.offset[g] = splat(0);
    choice.error += squared_error(w + g * kGroupInputs, counted.group(g), choice.d * choice.scale[g], splat(0));
  }
}

// The best found for eight outputs: w is [256].
template <typename Importance>
QVL_INLINE void search(const F8* w, Importance counted, Choice& best) {
  // The largest scale becomes about this integer. A third candidate and a second refit: 0.05 dB more for twice the
  // time.
  static constexpr float kTopScales[] = {15.0f, 13.8f};
  constexpr float kTopOffset = 7.3f;
  Group groups[kGroups];
  F8 top_scale = splat(0), top_offset = splat(0);
  for (int g = 0; g < kGroups; ++g) {
    fit_group(w + g * kGroupInputs, counted.group(g), groups[g]);
    top_scale = maximum(top_scale, groups[g].scale);
    top_offset = maximum(top_offset, absolute(groups[g].offset));
  }
  plain_choice(w, counted, best);
  for (const float integer : kTopScales) {
    Choice choice;
    choice.d = to_nearest_bf16(top_scale / splat(integer));
    choice.dm = to_nearest_bf16(top_offset / splat(kTopOffset));
    choose_integers(w, counted, groups, choice);
    keep_better(choice, best);
  }
  Choice choice = best;
  refit(w, counted, groups, choice);
  choose_integers(w, counted, groups, choice);
  keep_better(choice, best);
}

// A choice's distances and offsets of levels as weights have them.
struct Steps {
  F8 scale[kGroups], offset[kGroups], inverse_scale[kGroups];
  QVL_INLINE explicit Steps(const Choice& choice) {
    for (int g = 0; g < kGroups; ++g) {
      scale[g] = choice.d * choice.scale[g], offset[g] = choice.dm * choice.offset[g];
      inverse_scale[g] = inverse(scale[g]);
    }
  }
};

QVL_INLINE F8 weighted_sum(const F8* x, const float* factors, int count) {
  F8 sums[4] = {};  // several, so that no addition waits for the one before it
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int j = 0; j < 4; ++j) sums[j] += x[i + j] * splat(factors[i + j]);
  }
  for (; i < count; ++i) sums[0] += x[i] * splat(factors[i]);
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// levels gets q - 8: each weight's nearest.
QVL_INLINE void round_each(const F8* w, const Choice& choice, F8* levels) {
  const Steps steps(choice);
  for (int i = 0; i < kBlockInputs; ++i) levels[i] = level_of(w[i], steps.offset[i / kGroupInputs], steps.inverse_scale[i / kGroupInputs]);
}

// levels gets q - 8 of the first `inputs` weights, in the order of the compensation, each nearest to what the errors before it leave of its weight.
QVL_INLINE void round_in_order(const F8* w, const Choice& choice, int inputs, const BlockCompensation& by, F8* levels) {
  const Steps steps(choice);
  F8 errors[kBlockInputs];
  const float* spread = by.spread.data();
  for (int k = 0; k < inputs; spread += k++) {
    const int i = by.order[k], g = i / kGroupInputs;
    const F8 weight = w[i] - weighted_sum(errors, spread, k);
    levels[i] = level_of(weight, steps.offset[g], steps.inverse_scale[g]);
    errors[k] = weight - steps.offset[g] - steps.scale[g] * levels[i];
  }
}

// Moves each level to the one that makes the outputs' squared error least with all others as they are. Few still move, so that most cost a look.
QVL_INLINE void settle(const F8* w, const Choice& choice, int inputs, const BlockCompensation& by, F8* levels) {
  constexpr int kRounds = 2;  // a third one changes next to nothing
  const Steps steps(choice);
  F8 errors[kBlockInputs], slopes[kBlockInputs];
  for (int i = 0; i < inputs; ++i) errors[i] = steps.offset[i / kGroupInputs] + steps.scale[i / kGroupInputs] * levels[i] - w[i];
  for (int i = 0; i < inputs; ++i) slopes[i] = weighted_sum(errors, by.products.data() + i * inputs, inputs);
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < inputs; ++i) {
      const int g = i / kGroupInputs;
      const float* const row = by.products.data() + i * inputs;
      const F8 best = steps.offset[g] + steps.scale[g] * levels[i] - slopes[i] / splat(row[i]);
      const F8 level = level_of(best, steps.offset[g], steps.inverse_scale[g]);
      const F8 step = steps.scale[g] * (level - levels[i]);
      levels[i] = level;
      float moved = 0;
      for (int lane = 0; lane < kLanes; ++lane) moved += step[lane] * step[lane];
      if (moved == 0) continue;
      for (int j = 0; j < inputs; ++j) slopes[j] += step * splat(row[j]);
    }
  }
}

struct Result {  // of eight outputs
  F8 d, dm, scale[kGroups], offset[kGroups], levels[kBlockInputs];
};

// What a block's inputs are, for the search. importance: of every input, as w has them.
struct Inputs {
  int count;
  const float* importance;
  const BlockCompensation* compensation;  // null: each weight is rounded by itself, and all count alike
};

QVL_INLINE void search_half(const F8* w, const Inputs& inputs, Result& out) {
  Choice best;
  if (inputs.compensation == nullptr) {
    search(w, Alike{}, best);
    round_each(w, best, out.levels);
  } else {
    search(w, ByImportance{inputs.importance}, best);
    round_in_order(w, best, inputs.count, *inputs.compensation, out.levels);
    settle(w, best, inputs.count, *inputs.compensation, out.levels);
  }
  out.d = best.d, out.dm = best.dm;
  for (int g = 0; g < kGroups; ++g) out.scale[g] = best.scale[g], out.offset[g] = best.offset[g];
}

void search_baseline(const F8* w, const Inputs& inputs, Result& out) { search_half(w, inputs, out); }
#if defined(__x86_64__)
[[gnu::target("avx2")]] void search_avx2(const F8* w, const Inputs& inputs, Result& out) { search_half(w, inputs, out); }
#endif

using Search = void (*)(const F8*, const Inputs&, Result&);
Search best_search() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return search_avx2;
#endif
  return search_baseline;
}

uint16_t bf16_bits(float x) { return static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16); }

// Powers of two that bring an output's largest weight of the block near 1, so that no square leaves float's range.
struct Range {
  float to_unit, from_unit;
};
Range range_of(const float* weights, int lane) {
  float largest = 0;
  for (int i = 0; i < kBlockInputs; ++i) largest = std::max(largest, std::fabs(weights[i * kPanel + lane]));
  if (!(largest > 1e-34f)) return {0, 0};  // nothing that float32 arithmetic would notice
  const int exponent = std::clamp(std::ilogb(largest), -120, 120);
  return {std::ldexp(1.0f, -exponent), std::ldexp(1.0f, exponent)};
}

void store_half(const Result& found, const Range* ranges, int first_lane, int inputs, Int4Block& out) {
  const int groups = (inputs + kGroupInputs - 1) / kGroupInputs;
  for (int lane = 0; lane < kLanes; ++lane) {
    const int to = first_lane + lane;
    out.d[to] = bf16_bits(found.d[lane] * ranges[to].from_unit);
    out.dm[to] = bf16_bits(found.dm[lane] * ranges[to].from_unit);
    uint32_t scales = 0, offsets = 0;
    for (int g = 0; g < groups; ++g) {
      scales |= static_cast<uint32_t>(found.scale[g][lane]) << 4 * g;
      const auto offset = static_cast<uint32_t>(static_cast<int>(found.offset[g][lane])) & 15;
      offsets |= offset << (4 * (g / 2) + 16 * (g % 2));
    }
    out.scales[to] = scales;
    out.offsets[to] = offsets;
    for (int i = 0; i < kBlockInputs; i += 8) {
      for (int j = 0; j < 4; ++j) {
        const int low = i + j < inputs ? static_cast<int>(found.levels[i + j][lane]) : 0;
        const int high = i + 4 + j < inputs ? static_cast<int>(found.levels[i + 4 + j][lane]) : 0;
        out.nibbles[i / 8][4 * to + j] = static_cast<uint8_t>((low + 8) | (high + 8) << 4);
      }
    }
  }
}

// What a step of each output has to be for `most` steps to reach its largest size_of(weight); sizes below zero do not count.
template <typename F>
void find_steps(const float* weights, int inputs, F size_of, float most, float* steps) {
  for (int lane = 0; lane < kPanel; ++lane) {
    float largest = 0;
    for (int i = 0; i < inputs; ++i) largest = std::max(largest, size_of(weights[i * kPanel + lane]));
    steps[lane] = largest > 1e-34f ? largest / most : 0;
  }
}

// Levels least..most of 256 inputs in each output's steps, those past `inputs` and of outputs without a step as zeros.
void round_block(const float* weights, int inputs, const float* steps, float least, float most, int (*levels)[kPanel]) {
  float factor[kPanel];
  for (int lane = 0; lane < kPanel; ++lane) factor[lane] = steps[lane] != 0 ? 1 / steps[lane] : 0;
  for (int i = 0; i < kBlockInputs; ++i) {
    for (int lane = 0; lane < kPanel; ++lane) {
      const float x = i < inputs ? weights[i * kPanel + lane] * factor[lane] : 0;
      levels[i][lane] = static_cast<int>(std::clamp((x + 12582912.0f) - 12582912.0f, least, most));
    }
  }
}

void quantise_block(const float* weights, int inputs, Int8Block& out) {
  int levels[kBlockInputs][kPanel];
  find_steps(weights, inputs, [](float x) { return std::fabs(x); }, 127, out.d);
  round_block(weights, inputs, out.d, -127, 127, levels);
  for (int i = 0; i < kBlockInputs; ++i) {
    for (int lane = 0; lane < kPanel; ++lane) out.values[i / 4][4 * lane + i % 4] = static_cast<uint8_t>(levels[i][lane] + 128);
  }
}

// lower: of the panel's first output, this block. outputs: of the panel that exist.
void quantise_block(const float* weights, int inputs, int64_t in, int64_t block, int64_t outputs, HighBlock& upper, std::byte* lower) {
  // Lower halves are noise where weights spread over several steps of the upper ones; beside a few that stand out, they may be the better
  // part of all others.
  constexpr float kLeastSpread = 0.2f;  // of the weights have an upper half at all; as of a normal distribution of 0.4 steps
  int levels[kBlockInputs][kPanel];
  // Halves of four bits reach from -136 to 119: the sign of a step says which way is the longer one.
  float down[kPanel], up[kPanel];
  for (const float sign : {1.0f, -1.0f}) {
    find_steps(weights, inputs, [&](float x) { return -sign * x; }, 136, down);
    find_steps(weights, inputs, [&](float x) { return sign * x; }, 119, up);
    for (int lane = 0; lane < kPanel; ++lane) {
      const float step = std::max(down[lane], up[lane]);
      if (sign > 0 || step < upper.d[lane]) upper.d[lane] = sign * step;
    }
  }
  round_block(weights, inputs, upper.d, -136, 119, levels);
  std::memset(upper.nibbles, 0, sizeof upper.nibbles);
  float uppers[kPanel] = {}, rest_squares[kPanel] = {};
  for (int i = 0; i < kBlockInputs; ++i) {
    const int dword = i / 4;
    for (int lane = 0; lane < kPanel; ++lane) {
      const int level = levels[i][lane], high = (level + 136) / 16, rest = level - 16 * (high - 8);
      upper.nibbles[dword / 2][4 * lane + i % 4] |= static_cast<uint8_t>(high << 4 * (dword % 2));
      uppers[lane] += high != 8 ? 1.0f : 0.0f, rest_squares[lane] += static_cast<float>(rest * rest);
      if (lane >= outputs) continue;
      std::byte& byte = lower[lane * low_row_bytes(in) + block * kLowBlockBytes + i % kLowBlockBytes];
      const auto nibble = static_cast<std::byte>((rest + 8) << (i < kLowBlockBytes ? 0 : 4));
      byte = i < kLowBlockBytes ? nibble : byte | nibble;
    }
  }
  const auto count = static_cast<float>(std::max(inputs, 1));
  for (int lane = 0; lane < kPanel; ++lane) {
    const bool noise = uppers[lane] >= kLeastSpread * count;
    upper.noise[lane] = upper.d[lane] == 0 ? 0 : noise ? std::fabs(upper.d[lane]) * std::sqrt(rest_squares[lane] / count) : kUnknownNoise;
    if (lane < outputs) {
      std::byte* const steps = lower + lane * low_row_bytes(in) + block_count(in) * kLowBlockBytes;
      std::memcpy(steps + block * static_cast<int64_t>(sizeof(float)), upper.d + lane, sizeof(float));
    }
  }
}

// The rows of stacked parts by the output that they make.
class Rows {
 public:
  explicit Rows(std::span<const ConstTensorView> parts) : parts_(parts) {
    for (const auto& part : parts) outputs_ += part.shape[0];
  }
  int64_t outputs() const { return outputs_; }
  int64_t inputs() const { return parts_[0].shape[1]; }

  // weights[i][lane] = inputs first.. of the panel's 16 outputs, those that do not exist as zeros.
  void read_block(int64_t panel, int64_t first, int64_t count, float* weights) const {
    float row[kBlockInputs];
    for (int lane = 0; lane < kPanel; ++lane) {
      int64_t output = panel * kPanel + lane;
      if (output >= outputs_) {
        for (int64_t i = 0; i < count; ++i) weights[i * kPanel + lane] = 0;
        continue;
      }
      size_t part = 0;
      while (output >= parts_[part].shape[0]) output -= parts_[part++].shape[0];
      convert_to_float(parts_[part], output * inputs() + first, count, row);
      uint32_t all = 0;
      for (int64_t i = 0; i < count; ++i) {
        weights[i * kPanel + lane] = row[i];
        all = std::max(all, std::bit_cast<uint32_t>(row[i]) & 0x7fffffffu);
      }
      if (all >= 0x7f800000u) not_finite(panel * kPanel + lane, first);
    }
  }

 private:
  [[noreturn]] static void not_finite(int64_t output, int64_t first) {
    throw_error(
        ErrorKind::kModel, "model_not_finite",
        "row {}, columns from {}: expected finite weights, found NaN or infinity; such a matrix cannot be quantised",
        output, first);
  }

  std::span<const ConstTensorView> parts_;
  int64_t outputs_ = 0;
};

}  // namespace

void quantise_block(const float* weights, int inputs, Int4Block& out, const BlockCompensation* compensation) {
  static const Search run = best_search();
  if (compensation != nullptr && compensation->spread.empty()) compensation = nullptr;
  alignas(64) float unit[kLanes * kBlockInputs];
  float importance[kBlockInputs];
  Range ranges[kPanel];
  Result found;
  for (int first = 0; first < kPanel; first += kLanes) {
    for (int lane = first; lane < first + kLanes; ++lane) ranges[lane] = range_of(weights, lane);
    for (int i = 0; i < kBlockInputs; ++i) {
      // A group that is not full repeats its inputs: they keep the search to what counts. Groups past the end are
      // zeros.
      const int group = i / kGroupInputs * kGroupInputs;
      const int from = i < inputs ? i : group < inputs ? group + (i - group) % (inputs - group) : -1;
      importance[i] = from < 0 || compensation == nullptr ? 1.0f : compensation->importance[from];
      for (int lane = 0; lane < kLanes; ++lane) {
        const int at = first + lane;
        unit[i * kLanes + lane] = from < 0 ? 0.0f : weights[from * kPanel + at] * ranges[at].to_unit;
      }
    }
    run(reinterpret_cast<const F8*>(unit), {inputs, importance, compensation}, found);
    store_half(found, ranges, first, inputs, out);
  }
}

void quantise_panels(std::span<const ConstTensorView> parts, QuantFormat format, int64_t panel_begin, int64_t panel_end,
                     std::byte* panels, std::span<const BlockCompensation> compensation) {
  const Rows rows(parts);
  const int64_t in = rows.inputs();
  alignas(64) float weights[kBlockInputs * kPanel] = {};
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    std::byte* const to = panels + static_cast<size_t>(panel) * quant_panel_bytes(in, format);
    for (int64_t block = 0; block < block_count(in); ++block) {
      const int64_t first = block * kBlockInputs, count = std::min<int64_t>(kBlockInputs, in - first);
      rows.read_block(panel, first, count, weights);
      std::byte* const at = to + static_cast<size_t>(block) * block_bytes(format);
      if (format == QuantFormat::kInt4) {
        const BlockCompensation* const by = compensation.empty() ? nullptr : &compensation[static_cast<size_t>(block)];
        quantise_block(weights, static_cast<int>(count), *reinterpret_cast<Int4Block*>(at), by);
      } else {
        quantise_block(weights, static_cast<int>(count), *reinterpret_cast<Int8Block*>(at));
      }
    }
  }
}

void quantise_halves(std::span<const ConstTensorView> parts, int64_t panel_begin, int64_t panel_end, std::byte* upper, std::byte* lower) {
  const Rows rows(parts);
  const int64_t in = rows.inputs();
  alignas(64) float weights[kBlockInputs * kPanel] = {};
  for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
    auto* const blocks = reinterpret_cast<HighBlock*>(upper) + panel * block_count(in);
    const int64_t outputs = std::min<int64_t>(kPanel, rows.outputs() - panel * kPanel);
    for (int64_t block = 0; block < block_count(in); ++block) {
      const int64_t first = block * kBlockInputs, count = std::min<int64_t>(kBlockInputs, in - first);
      rows.read_block(panel, first, count, weights);
      quantise_block(weights, static_cast<int>(count), in, block, outputs, blocks[block], lower + panel * kPanel * low_row_bytes(in));
    }
  }
}

}  // namespace qvl::cpu
