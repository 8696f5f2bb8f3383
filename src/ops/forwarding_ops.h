// Ops that hand everything on to another's, to change a part of it.
#pragma once

#include "ops/ops.h"

namespace qvl {

class ForwardingOps : public Ops {
 public:
  explicit ForwardingOps(Ops& ops) : ops_(ops) {}  // must outlive this

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation, int64_t y_stride) override {
    ops_.linear(w, x, rows, y, activation, y_stride);
  }
  void linear_best(const Linear& w, const float* x, int64_t rows, float* y, std::span<const BestOf> best) override {
    ops_.linear_best(w, x, rows, y, best);
  }
  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override { ops_.linear_add(w, x, rows, y); }
  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override { ops_.gather_rows(table, ids, y); }
  void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) override {
    ops_.rms_norm(x, rows, width, weight, eps, y);
  }
  void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps, float* y) override {
    ops_.layer_norm(x, rows, width, weight, bias, eps, y);
  }
  void swiglu(const float* x, int64_t rows, int64_t inner, float* y) override { ops_.swiglu(x, rows, inner, y); }
  void add(const float* x, int64_t count, float* y) override { ops_.add(x, count, y); }
  void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps, const float* cos,
                 const float* sin) override {
    ops_.norm_rope(x, rows, row_stride, heads, dim, weight, eps, cos, sin);
  }
  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences) override {
    ops_.kv_write(cache, layer, k, v, row_stride, sequences);
  }
  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    ops_.paged_attention(cache, layer, q, row_stride, heads, scale, sequences, out);
  }
  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat format,
                         float* out) override {
    ops_.segment_attention(qkv, rows, segment_rows, heads, dim, scale, format, out);
  }
  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights, int per_token,
                   float* y) override {
    ops_.experts_add(experts, x, rows, indices, weights, per_token, y);
  }
  void add_moments(const float* x, int64_t rows, InputMoments& to) override { ops_.add_moments(x, rows, to); }

 protected:
  Ops& ops_;
};

}  // namespace qvl
