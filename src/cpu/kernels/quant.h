// int4 and int8 weights, and the int8 activations that meet them: layouts that every instruction set reads, and the table
// entries of their products (quant.inc).
//
// A matrix [out, in] is panels of 16 outputs; a panel is blocks of 256 inputs, in order. Missing outputs and inputs are zeros.
//
// int4: a weight is d * s * (q - 8) + dm * m, with q in 0..15; per group of 32 inputs a scale s in 0..15 and an offset m in
// -8..7; per block bfloat16 d and dm. (q - 8) * s fits int8, so that a dot product over 256 inputs is exact in integers:
//   sum(w a) = d * sum_g s_g (sum_g q a - 8 sum_g a) + dm * sum_g m_g sum_g a
// int8: a weight is d * (u - 128), with u in 1..255.
//
// int8 in halves, for a model's head, of which only the best outputs have to be known exactly: a weight is d * (16 (h - 8) + (l - 8)) with
// h and l in 0..15; d may be negative. The upper halves are panels; they give all outputs roughly, and with each how far it may be off. The lower
// halves lie output by output, to be read for those that count.
//
// Inputs are rounded to int8, one scale for a row's 256. A product is exact within a block; blocks are added in ascending
// order in one float32 accumulator, whatever the number of rows, so a row's result does not depend on its company.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernels/kernels.h"

namespace qvl::cpu {

constexpr int kBlockInputs = 256;
constexpr int kGroupInputs = 32;
constexpr int kGroups = kBlockInputs / kGroupInputs;

struct alignas(64) Int4Block {
  // Four inputs of an output are a dword ("dword row" k: inputs 4k..4k+3, first in the lowest byte, lane = output). Line c
  // holds dword row 2c in the low nibbles and 2c+1 in the high ones: group g is lines 4g..4g+3.
  uint8_t nibbles[32][64];
  uint32_t scales[kPanel];   // nibble g: s of group g
  uint32_t offsets[kPanel];  // nibble j of the low half: m of group 2j, of the high half: of 2j+1; two's complement
  uint16_t d[kPanel], dm[kPanel];  // bfloat16
};
static_assert(sizeof(Int4Block) == 2240);

struct alignas(64) Int8Block {
  uint8_t values[64][64];  // dword rows as above, u = w / d + 128
  float d[kPanel];
};
static_assert(sizeof(Int8Block) == 4160);

struct alignas(64) HighBlock {
  uint8_t nibbles[32][64];  // h, in lines as those of Int4Block
  float d[kPanel];
  float noise[kPanel];  // the deviation of d (l - 8) over the inputs; kUnknownNoise where it is no noise: weights that are small beside d
};
constexpr float kUnknownNoise = 1e18f;  // its square is finite: a block of zeros as inputs is no harm
static_assert(sizeof(HighBlock) == 2176);

// The lower halves of one output: of every block 128 bytes, input i in the low nibble of byte i, input i + 128 in the high one; then
// every block's d.
inline constexpr int64_t kLowBlockBytes = kBlockInputs / 2;
inline constexpr int64_t low_row_bytes(int64_t in) {
  return (in + kBlockInputs - 1) / kBlockInputs * (kLowBlockBytes + static_cast<int64_t>(sizeof(float)));
}

// 256 inputs of a row as int8, and what the correction terms need. A row that is not finite has a scale of NaN.
struct alignas(64) InputBlock {
  int8_t q[kBlockInputs];
  int16_t halves[kGroups][2];   // sets of pairs only: -8 * the group's sum over inputs 0, 1 and over 2, 3 of each dword
  int32_t groups[kGroups];      // -8 * the group's sum
  int16_t sums[kGroups];        // the group's sum
  int32_t total128;             // -128 * the block's sum
  float scale;                  // x = scale * q
};
static_assert(sizeof(InputBlock) == 384);

// The same with 15 bits, for sets that multiply 16-bit integers as fast as 8-bit ones: int8 weights only.
struct alignas(64) WideInputBlock {
  int16_t q[kBlockInputs];  // of each dword: inputs 0, 2, 1, 3
  float scale;
};
static_assert(sizeof(WideInputBlock) == 576);

constexpr int kInputSlack = 15;

enum class QuantFormat : int { kInt4, kInt8 };

inline constexpr int64_t block_count(int64_t in) { return (in + kBlockInputs - 1) / kBlockInputs; }
inline constexpr size_t block_bytes(QuantFormat format) {
  return format == QuantFormat::kInt4 ? sizeof(Int4Block) : sizeof(Int8Block);
}
// Of one panel of 16 outputs.
inline constexpr size_t quant_panel_bytes(int64_t in, QuantFormat format) {
  return static_cast<size_t>(block_count(in)) * block_bytes(format);
}

struct QuantProductArgs {
  const void* inputs;  // [block_count(in)][stride] blocks written by `quantize` of the same table and format,
                       // and kInputSlack readable blocks: tiles take whole sixteens of rows
  int64_t rows, stride;
  const void* panels;  // of the whole matrix
  QuantFormat format;
  int64_t in;
  int64_t panel_begin, panel_end;
  float* c;            // [rows, ldc], column 0 = output 0
  int64_t ldc, out;    // out: outputs of the matrix
  const float* bias;   // [out] or null
  Finish finish;
};

// The upper halves' part of y for all outputs of some panels, and what the lower halves may add to or take from it, but for chances below
// one in a hundred million each.
struct HighProductArgs {
  const void* inputs;   // [block_count(in)][stride] InputBlocks, and kInputSlack more
  int64_t rows, stride;
  const float* energy;  // [block_count(in)][stride]: (scale of the block)^2 times the sum of its squares
  const void* panels;   // HighBlocks of the whole matrix
  int64_t in;
  int64_t panel_begin, panel_end;
  float *y, *reach;     // [rows, ldy]
  int64_t ldy, out;
};

// y[outputs[i]] += the lower halves' part, for one row.
struct LowProductArgs {
  const void* inputs;  // of that row: [block_count(in)] InputBlocks, `stride` apart
  int64_t stride;
  const std::byte* rows;  // of the whole matrix, low_row_bytes(in) each
  int64_t in;
  const int32_t* outputs;
  int64_t count;
  float* y;
};

}  // namespace qvl::cpu
