// The table of inner loops that every instruction set fills (kernels.inc). Each function works on one thread's share;
// cpu_ops.cc splits the work. Plain C types only: nothing here may be instantiated in two instruction sets' files.
//
// Panels: a matrix W [out, in] is stored as out/16 panels of 16 outputs each. float32: [in][16]; bfloat16:
// [in/2][16][2], two neighbours of `in` side by side, which is at once the B tile of AMX's and AVX512-BF16's dot products
// and, by a shift and a mask, two float32 rows. Missing outputs and an odd last input are zeros. Keys are stored as the
// panels of a matrix [tokens, dim], values as those of [dim, tokens], so that attention is the same product twice.
//
// Every output is summed over `in` in ascending order in one float32 accumulator (amx.inc: in the tile instruction's order),
// whatever the number of rows: a row's result does not depend on what else is in the batch or how a prompt was cut into chunks.
#pragma once

#include <cstdint>

namespace qvl::cpu {

constexpr int kPanel = 16;

enum class Finish : int { kStore, kGeluTanh, kGeluErf, kAdd };

struct ProductArgs {
  const float* a;        // [rows, lda]; product_bf16 reads `packed` instead
  int64_t lda, rows;
  const void* panels;    // of the whole matrix
  bool bf16;
  int64_t in;            // columns of a
  int64_t panel_begin, panel_end;
  float* c;              // [rows, ldc], column 0 = output 0
  int64_t ldc, out;      // out: outputs of the matrix
  const float* bias;     // [out] or null
  Finish finish;
  const void* packed = nullptr;  // all rows of a by pack_bf16
};

// Attention of `rows` queries over one head's pages.
struct AttentionArgs {
  const float* q;          // [rows, dim], scaled, dense
  int64_t rows;            // at most kMaxAttentionRows
  int dim;
  const void* const* k_pages;  // each: page_tokens / 16 panels of [dim]
  const void* const* v_pages;  // each: ceil(dim / 16) panels of [page_tokens]
  int page_tokens;             // a divisor of kAttentionBlock
  bool bf16;
  const int64_t* visible;  // [rows]: tokens 0..visible-1 are attended to; >= 1, ascending
  float* out;              // [rows, dim padded to a multiple of 16]; attention_bf16: room for whole tiles of 16 rows
};
constexpr int kMaxAttentionRows = 48;
constexpr int kAttentionBlock = 128;
constexpr int kMaxHeadDim = 256;

enum class QuantFormat : int;
struct QuantProductArgs;
struct HighProductArgs;
struct LowProductArgs;
struct IntAttentionArgs;
struct PutTokensArgs;

struct KernelTable {
  const char* name;
  void (*product)(const ProductArgs&);
  void (*attention)(const AttentionArgs&);
  void (*rms_norm)(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y);
  void (*layer_norm)(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps, float* y);
  void (*swiglu)(const float* x, int64_t rows, int64_t inner, float* y);
  void (*add)(const float* x, int64_t count, float scale, float* y);  // y += scale * x
  void (*rope)(float* x, int64_t heads, int64_t dim, const float* cos, const float* sin);  // heads side by side

  // Products with int4 and int8 weights (quant.h). quantize writes block b of row r, for a[rows, lda], at
  // out + (b * stride + r) * input_block_bytes[format].
  void (*product_quant)(const QuantProductArgs&);
  void (*quantize)(const float* a, int64_t lda, int64_t rows, int64_t columns, QuantFormat format, void* out, int64_t stride);
  int64_t input_block_bytes[2];
  // Both halves of int8 in halves, for inputs that `quantize` wrote for int4.
  void (*product_high)(const HighProductArgs&);
  void (*product_low)(const LowProductArgs&);

  // Attention over pages of integers (int_attention.h).
  void (*put_tokens)(const PutTokensArgs&);
  void (*attention_int)(const IntAttentionArgs&);
  bool attention_quads = false;  // whether it takes IntForm::kQuads

  // Where the set multiplies in bfloat16 (amx.inc, bf16_dots.inc), else null: inputs rounded to it, panels and pages of bfloat16 only.
  void (*product_bf16)(const ProductArgs&) = nullptr;
  // a[rows, lda] for product_bf16: packed_bytes(rows, columns) bytes; threads may take whole tiles of 16 rows each.
  void (*pack_bf16)(const float* a, int64_t lda, int64_t rows, int64_t columns, void* packed) = nullptr;
  void (*attention_bf16)(const AttentionArgs&) = nullptr;  // amx.inc alone
};

inline constexpr int64_t packed_bytes(int64_t rows, int64_t columns) {
  return (rows + 15) / 16 * ((columns + 31) / 32) * 1024;
}

const KernelTable& generic_kernels();
const KernelTable& avx2_kernels();
const KernelTable& avx_vnni_kernels();
const KernelTable& avx512_kernels();
const KernelTable& avx512_vnni_kernels();
const KernelTable& avx512_bf16_kernels();
const KernelTable& amx_kernels();
const KernelTable& vnni_emulated_kernels();
const KernelTable& amx_emulated_kernels();

}  // namespace qvl::cpu
