// A backend that fails when it is told to: another one's, with a fault before the next attention over the KV cache.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "ops/ops.h"

namespace qvl {

class FaultyOps : public Ops {
 public:
  explicit FaultyOps(Ops& ops) : ops_(ops) {}
  std::atomic<int> faults{0};          // so many of the next passes fail
  std::exception_ptr fault;            // with this; set before `faults`

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation, int64_t y_stride) override {
    ops_.linear(w, x, rows, y, activation, y_stride);
  }
  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override { ops_.linear_add(w, x, rows, y); }
  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override { ops_.gather_rows(table, ids, y); }
  void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) override {
    ops_.rms_norm(x, rows, width, weight, eps, y);
  }
  void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps,
                  float* y) override {
    ops_.layer_norm(x, rows, width, weight, bias, eps, y);
  }
  void swiglu(const float* x, int64_t rows, int64_t inner, float* y) override { ops_.swiglu(x, rows, inner, y); }
  void add(const float* x, int64_t count, float* y) override { ops_.add(x, count, y); }
  void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps,
                 const float* cos, const float* sin) override {
    ops_.norm_rope(x, rows, row_stride, heads, dim, weight, eps, cos, sin);
  }
  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences) override {
    ops_.kv_write(cache, layer, k, v, row_stride, sequences);
  }
  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    if (layer == 1 && faults > 0) {
      --faults;
      std::rethrow_exception(fault);
    }
    ops_.paged_attention(cache, layer, q, row_stride, heads, scale, sequences, out);
  }
  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale,
                         KvFormat format, float* out) override {
    ops_.segment_attention(qkv, rows, segment_rows, heads, dim, scale, format, out);
  }
  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights,
                   int per_token, float* y) override {
    ops_.experts_add(experts, x, rows, indices, weights, per_token, y);
  }

 private:
  Ops& ops_;
};

class FaultyBackend : public Backend {
 public:
  explicit FaultyBackend(std::unique_ptr<Backend> backend) : backend_(std::move(backend)), ops_(backend_->ops()) {}
  Ops& ops() override { return ops_; }
  FaultyOps& faulty() { return ops_; }
  Precision precision() const override { return backend_->precision(); }
  std::string description() const override { return backend_->description(); }
  std::unique_ptr<Linear> pack_linear(std::span<const ConstTensorView> parts, std::span<const float> bias,
                                      WeightFormat format, const InputMoments* moments) override {
    return backend_->pack_linear(parts, bias, format, moments);
  }
  std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages,
                                         KvFormat format) override {
    return backend_->make_kv_cache(layers, num_kv_heads, head_dim, pages, format);
  }
  size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format) const override {
    return backend_->kv_page_bytes(layers, num_kv_heads, head_dim, format);
  }

 private:
  std::unique_ptr<Backend> backend_;
  FaultyOps ops_;
};

}  // namespace qvl
