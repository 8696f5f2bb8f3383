// Attention in integers: keys and values as int16 or int8, what a page of them looks like, and the table's entries for them
// (int_attention.inc). Twice the speed of float32 where 16-bit multiply-adds are, in half or a quarter of the memory.
//
// Of a head's token, key and value have one scale each: k = key_scale * (-4095..4095), v = 2^value_log * (-2047..2047), with
// int8 both -127..127. A page is, in this order: key scales, value logarithms, keys, values; the values as panels (kernels.h)
// of `lane` neighbours: keys [tokens / 16][ceil(dim / lane)][16][lane], values [ceil(dim / 16)][tokens / lane][16][lane]. Missing numbers
// are zeros. kInt16 and kInt8 have pairs, which 16-bit products take; kQuads has bytes in fours, which 8-bit products take at twice the
// speed, its keys with 128 added. There queries are int8 as well: for the vision tower, whose products round to 8 bits too.
//
// Tokens are taken in blocks of block_tokens(form), counted from token 0. A block's probabilities times their values' scales are
// 14-bit integers (kQuads: 8-bit ones) relative to the largest of them, so that no block loses what is small beside another's; sums over a
// block are exact, blocks are added in ascending order in float32. The sum of 64 products of 2^14 and 2047 is below 2^31.
#pragma once

#include <cstdint>

#include "cpu/kernels/kernels.h"

namespace qvl::cpu {

constexpr int kMaxSideHeads = 8;
constexpr int kInt16Key = 4095, kInt16Value = 2047, kInt8Top = 127;

enum class IntForm : int { kInt16, kInt8, kQuads };
inline constexpr int lane_items(IntForm form) { return form == IntForm::kQuads ? 4 : 2; }
inline constexpr int item_bytes(IntForm form) { return form == IntForm::kInt16 ? 2 : 1; }
inline constexpr int block_tokens(IntForm form) { return form == IntForm::kQuads ? 128 : 64; }

inline constexpr int64_t key_lines(int64_t dim, int lane) { return (dim + lane - 1) / lane; }

struct IntPageShape {
  int dim, tokens;  // tokens: a block's or half of them
  IntForm form;     // kQuads: only where the table has attention_quads
  int64_t keys, values, bytes;  // offsets in a page; value logarithms follow the key scales at tokens * 4
};
inline constexpr IntPageShape int_page_shape(int dim, int tokens, IntForm form) {
  const int64_t each = item_bytes(form), keys = 2 * static_cast<int64_t>(sizeof(float)) * tokens;
  const int64_t values = keys + tokens * key_lines(dim, lane_items(form)) * lane_items(form) * each;
  const int64_t end = values + (dim + kPanel - 1) / kPanel * kPanel * tokens * each;
  return {.dim = dim, .tokens = tokens, .form = form, .keys = keys, .values = values, .bytes = (end + 63) / 64 * 64};
}

// tokens first_slot.. of one page from rows of keys and values.
struct PutTokensArgs {
  const float* k;
  const float* v;
  int64_t row_stride, tokens, first_slot;
  const IntPageShape* shape;
  void* page;
  const float* key_centre = nullptr;  // [dim], or null: taken off every key, which no softmax over all of them notices
};

// `rows` queries each of `heads` heads, whose pages lie side by side, over tokens begin..end-1.
struct IntAttentionArgs {
  const float* q;       // [heads, rows, dim], scaled, dense
  int64_t rows, heads;  // at most kMaxAttentionRows together, and at most kMaxSideHeads
  const IntPageShape* shape;
  const void* const* pages;  // page i of the first head: tokens i * shape->tokens..; the next head's shape->bytes further
  int64_t begin, end;        // begin: a multiple of a block
  const int64_t* visible;    // [rows], the same for each head: tokens 0..visible-1 are attended to, ascending
  // [heads, rows, dim padded to a multiple of 16] and [heads, rows] each, all to be multiplied by 2^top. A row that sees no token
  // of these has a top of minus infinity and zeros.
  float* out;
  float* top;
  float* total;
};

}  // namespace qvl::cpu
