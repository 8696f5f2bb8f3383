// Attention and the KV cache of the CPU backend: where keys and values lie, how the work is split over the threads. The inner
// loops are the kernel table's. Called by the backend's one thread.
//
// A context is cut into spans of kSpanTokens, counted from token 0, which are attended to apart and joined in ascending order,
// whether one thread takes all or several share them: a row's result does not depend on it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernels/int_attention.h"
#include "cpu/kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tensor.h"

namespace qvl::cpu {

enum class PageFormat { kFloat32, kBFloat16, kInt16, kInt8, kQuads };

class CpuAttention {
 public:
  static constexpr int64_t kSpanTokens = 2048;

  // In bfloat16 precision keys and values have 16 bits: bfloat16 where the table has tiles for it, else integers.
  CpuAttention(const KernelTable& table, ThreadPool& pool, Precision precision);

  std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, KvFormat format) const;
  size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format) const;

  // As Ops has them.
  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences);
  void paged(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
             std::span<const SequenceRows> sequences, float* out);
  void segments(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat format, float* out);

 private:
  PageFormat page_format(KvFormat format) const;

  const KernelTable& table_;
  ThreadPool& pool_;
  const PageFormat plain_;  // of KvFormat::kPlain and of the vision tower
  Buffer pages_;            // the vision tower's
  Scratch centres_;         // of its keys, by head
  Scratch parts_;    // of spans that several threads share
};

}  // namespace qvl::cpu
