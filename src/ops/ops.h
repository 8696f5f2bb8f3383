// All that a model may ask of a device: about twenty coarse verbs on float32 rows and packed weights. One formula per verb,
// here. A Backend packs weights into its own layout; Ops runs. Called by one thread, the engine's.
//
// Activations are float32, row-major [rows, width]. How a verb rounds on its way is the backend's Precision.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/input_moments.h"
#include "tensor/tensor.h"

namespace qvl {

enum class Precision {
  kFloat32,   // weights as stored, all else float32: the reference data's arithmetic
  kBFloat16,  // weights and KV cache bfloat16; inputs of products may be rounded to bfloat16; sums float32
};

// How pack_linear stores a matrix.
enum class WeightFormat {
  kPlain,  // as the precision says: float32 as it came, or bfloat16
  kInt8,   // 8.1 bits a weight
  kInt8Halves,  // 8.4 bits a weight, of which linear_best reads little more than half; without bias, for linear and gather_rows
  kInt4,   // 4.4 bits a weight
};

// How a KV cache stores keys and values.
enum class KvFormat {
  kPlain,  // as the precision says: float32, or 16 bits
  kInt8,   // 8 bits; a token's key and value in a head have one scale each
};

// A packed matrix as bytes, for keeping it in a file. The layout is its backend's own number.
struct PackedMatrix {
  uint32_t layout = 0;
  std::span<const std::byte> bytes;  // empty: cannot be kept
  std::span<const float> bias;
};

// A weight matrix [out_features, in_features], optionally with a bias, packed by a backend.
class Linear {
 public:
  Linear(int64_t out, int64_t in) : out_features(out), in_features(in) {}
  virtual ~Linear() = default;
  virtual size_t packed_bytes() const = 0;  // of the weights as they are read, without the bias
  virtual size_t best_bytes() const { return packed_bytes(); }  // what linear_best reads of them for every row, at least
  virtual PackedMatrix packed() const { return {}; }  // valid as long as this
  const int64_t out_features, in_features;
};

// Which values of a row of y linear_best has to give exactly: the `count` largest of the first `outputs` (0: of all) and what is below
// the last of them by at most `within`. count <= 0: every value.
struct BestOf {
  int32_t count = 0;
  float within = 0;
  int32_t outputs = 0;
};

enum class Activation {
  kNone,
  kGeluTanh,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  kGeluErf,   // x Phi(x)
};

// Keys and values of all layers in pages of kPageTokens tokens; a page belongs to one sequence at a time and serves every layer.
class KvCache {
 public:
  static constexpr int kPageTokens = 32;
  KvCache(int num_layers, int kv_heads, int dim, int num_pages)
      : layers(num_layers), num_kv_heads(kv_heads), head_dim(dim), pages(num_pages) {}
  virtual ~KvCache() = default;
  virtual size_t bytes() const = 0;
  const int layers, num_kv_heads, head_dim, pages;
};

// Rows of one sequence inside a batch: row_begin..row_begin+rows-1 are its tokens past..past+rows-1; token i lives in page
// pages[i / kPageTokens] at i % kPageTokens.
struct SequenceRows {
  int64_t row_begin = 0, rows = 0, past = 0;
  std::span<const int32_t> pages;
};

// The experts of one layer; gate_up[e]: [2 * inner, hidden] (gate rows first), down[e]: [hidden, inner].
struct PackedExperts {
  std::vector<std::unique_ptr<Linear>> gate_up, down;
};

class Ops {
 public:
  virtual ~Ops() = default;

  // y[rows, out] = activation(x[rows, in] W^T + bias)
  // Rows of y are y_stride floats apart; 0: side by side.
  virtual void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation = Activation::kNone,
                      int64_t y_stride = 0) = 0;
  // y[rows, out] = x[rows, in] W^T. A row's values that `best` (one a row) names are those of linear(), but for chances below one in a
  // million; the others are smaller than those, and may be a little off.
  virtual void linear_best(const Linear& w, const float* x, int64_t rows, float* y, std::span<const BestOf> /*best*/) { linear(w, x, rows, y); }
  // y[rows, out] += x[rows, in] W^T + bias
  virtual void linear_add(const Linear& w, const float* x, int64_t rows, float* y) = 0;
  // y[i] = row ids[i] of the matrix
  virtual void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) = 0;
  // y = x / sqrt(mean(x^2) + eps) * weight, for each row
  virtual void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) = 0;
  // y = (x - mean) / sqrt(var + eps) * weight + bias
  virtual void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps,
                          float* y) = 0;
  // y[r, i] = silu(x[r, i]) * x[r, inner + i]; x: [rows, 2 * inner], y: [rows, inner]
  virtual void swiglu(const float* x, int64_t rows, int64_t inner, float* y) = 0;
  // y += x over count floats
  virtual void add(const float* x, int64_t count, float* y) = 0;

  // In place on heads of `dim` at x + row * row_stride + head * dim: where weight is given, RMS norm over the head; then the
  // rotation of pairs (j, j + dim/2) by cos, sin [rows, dim/2]: x'_j = x_j c - x_{j+dim/2} s, x'_{j+dim/2} = x_{j+dim/2} c + x_j s.
  virtual void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps,
                         const float* cos, const float* sin) = 0;

  // Writes rows of k and v ([kv_heads * dim] each at k + row * row_stride) into the pages of their sequences.
  virtual void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                        std::span<const SequenceRows> sequences) = 0;
  // out[row, head] = softmax(scale q k^T over tokens 0..past+i) v; query head h reads kv head h / (heads / kv_heads).
  // q: heads of head_dim at q + row * row_stride; out: [rows, heads * head_dim].
  virtual void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                               std::span<const SequenceRows> sequences, float* out) = 0;
  // Full attention inside each segment of segment_rows consecutive rows. qkv: [rows, 3 * heads * dim], Q then K then V;
  // out: [rows, heads * dim]. With kInt8 queries, keys, values and probabilities may be rounded to 8 bits where that is faster.
  virtual void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale,
                                 KvFormat format, float* out) = 0;

  // y[row] += sum over the chosen experts of weight * down(swiglu(gate_up(x[row]))); indices, weights: [rows, per_token].
  // No expert is touched that no row chose.
  virtual void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices,
                           const float* weights, int per_token, float* y) = 0;

  // to += x^T x over the rows of x[rows, to.inputs()], in its blocks
  virtual void add_moments(const float* x, int64_t rows, InputMoments& to) { to.add(x, rows); }
};

// One device: memory layout, precision and its Ops. Outlives everything packed by it.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Ops& ops() = 0;
  virtual Precision precision() const = 0;
  virtual std::string description() const = 0;  // "AVX2, 2 threads, bfloat16"

  // parts: matrices [out_i, in] of F32, F16, BF16 or F8_E4M3 stacked along out; bias: sum(out_i) floats or empty. Copies.
  // moments, where given: of the rows that the matrix will see, by which rounding may keep its outputs nearer to what they were.
  virtual std::unique_ptr<Linear> pack_linear(std::span<const ConstTensorView> parts, std::span<const float> bias,
                                              WeightFormat format = WeightFormat::kPlain, const InputMoments* moments = nullptr) = 0;
  // Bytes of what pack_linear makes of a matrix in this format; stored: the type of its tensors.
  virtual size_t linear_bytes(int64_t out, int64_t in, WeightFormat, DType /*stored*/) const {
    return static_cast<size_t>(out * in) * sizeof(float);
  }
  // Names all layouts of packed bytes, and changes with any of them; empty: packed matrices cannot be kept.
  virtual std::string layouts() const { return ""; }
  // A matrix from the bytes that packed() gave under the same layouts(); bytes begin on a cache line. Null where they do not fit.
  virtual std::unique_ptr<Linear> adopt_linear(int64_t /*out*/, int64_t /*in*/, uint32_t /*layout*/, Buffer /*bytes*/,
                                               std::span<const float> /*bias*/) { return nullptr; }
  // A matrix of made values about 0 with a deviation of about 0.02, straight in the packed format, for timing; null where the
  // backend cannot.
  virtual std::unique_ptr<Linear> make_linear(int64_t /*out*/, int64_t /*in*/, WeightFormat, uint64_t /*seed*/) {
    return nullptr;
  }
  virtual std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages,
                                                 KvFormat format = KvFormat::kPlain) = 0;
  virtual size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format = KvFormat::kPlain) const = 0;
};

}  // namespace qvl
