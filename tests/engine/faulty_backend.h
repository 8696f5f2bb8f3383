// A backend that fails when it is told to: another one's, with a fault before the next attention over the KV cache.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <utility>

#include "ops/forwarding_ops.h"

namespace qvl {

class FaultyOps : public ForwardingOps {
 public:
  using ForwardingOps::ForwardingOps;
  std::atomic<int> faults{0};          // so many of the next passes fail
  std::exception_ptr fault;            // with this; set before `faults`

  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    if (layer == 1 && faults > 0) {
      --faults;
      std::rethrow_exception(fault);
    }
    ForwardingOps::paged_attention(cache, layer, q, row_stride, heads, scale, sequences, out);
  }
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
