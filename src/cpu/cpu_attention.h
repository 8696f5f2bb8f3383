// Attention and the KV cache of the CPU backend: where keys and values lie, how the work is split over the threads. The inner
// loops are the kernel table's. Called by the backend's one thread.
#pragma once

#include <memory>
#include <span>

#include "base/thread_pool.h"
#include "cpu/kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tensor.h"

namespace qvl::cpu {

class CpuAttention {
 public:
  // rounds: attention may run in bfloat16 where the table has it.
  CpuAttention(const KernelTable& table, ThreadPool& pool, bool rounds)
      : table_(table), pool_(pool), rounds_(rounds && table.attention_bf16 != nullptr) {}

  static std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, Precision precision);
  static size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, Precision precision);

  // As Ops has them.
  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences);
  void paged(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
             std::span<const SequenceRows> sequences, float* out);
  void segments(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, float* out);

 private:
  void attend(const AttentionArgs& args) const;

  const KernelTable& table_;
  ThreadPool& pool_;
  const bool rounds_;
  Buffer keys_, values_;  // of one head of the vision tower
};

}  // namespace qvl::cpu
