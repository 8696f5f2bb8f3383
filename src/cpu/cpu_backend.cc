#include "cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/cpu_attention.h"
#include "cpu/cpu_linear.h"
#include "cpu/cpu_pack.h"
#include "cpu/instruction_sets.h"
#include "cpu/packing.h"

namespace qvl {
namespace {

using cpu::Finish;
using cpu::kPanel;
using cpu::KernelTable;
using cpu::CpuLinear;
using cpu::panel_count;
using cpu::panel_index;

size_t at(int64_t i) { return static_cast<size_t>(i); }
int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

class CpuOps : public Ops {
 public:
  // rounds: products and attention may run in bfloat16 where the table has them.
  CpuOps(const KernelTable& table, ThreadPool& pool, bool rounds)
      : table_(table), pool_(pool), rounds_(rounds && table.product_bf16 != nullptr),
        attention_(table, pool, rounds ? Precision::kBFloat16 : Precision::kFloat32) {}

  const cpu::CpuAttention& attention() const { return attention_; }

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation) override {
    static constexpr Finish kFinish[] = {Finish::kStore, Finish::kGeluTanh, Finish::kGeluErf};
    product(cpu::cast(w), x, rows, y, kFinish[static_cast<int>(activation)]);
  }

  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override {
    product(cpu::cast(w), x, rows, y, Finish::kAdd);
  }

  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override {
    const auto& w = cpu::cast(table);
    pool_.parallel_for(static_cast<int64_t>(ids.size()), 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        if (cpu::is_quantised(w.format)) {
          cpu::dequantise_row(w.panels.data(), cpu::quant_format(w.format), w.in_features, ids[at(r)], y + r * w.in_features);
          continue;
        }
        for (int64_t i = 0; i < w.in_features; ++i) {
          const size_t index = panel_index(ids[at(r)], i, w.in_features, w.bf16());
          y[r * w.in_features + i] = w.bf16() ? to_float(w.panels.as<BF16>()[index]) : w.panels.as<float>()[index];
        }
      }
    });
  }

  void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) override {
    by_rows(rows, width, [&](int64_t r, int64_t n) { table_.rms_norm(x + r * width, n, width, weight, eps, y + r * width); });
  }

  void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps,
                  float* y) override {
    by_rows(rows, width,
            [&](int64_t r, int64_t n) { table_.layer_norm(x + r * width, n, width, weight, bias, eps, y + r * width); });
  }

  void swiglu(const float* x, int64_t rows, int64_t inner, float* y) override {
    by_rows(rows, inner, [&](int64_t r, int64_t n) { table_.swiglu(x + 2 * r * inner, n, inner, y + r * inner); });
  }

  void add(const float* x, int64_t count, float* y) override {
    by_rows(count, 1, [&](int64_t i, int64_t n) { table_.add(x + i, n, 1.0f, y + i); });
  }

  void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps,
                 const float* cos, const float* sin) override {
    const int half = dim / 2;
    by_rows(rows, int64_t{heads} * dim, [&](int64_t r, int64_t n) {
      for (int64_t row = r; row < r + n; ++row) {
        float* const p = x + row * row_stride;
        if (weight != nullptr) table_.rms_norm(p, heads, dim, weight, eps, p);
        table_.rope(p, heads, dim, cos + row * half, sin + row * half);
      }
    });
  }

  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences) override {
    attention_.kv_write(cache, layer, k, v, row_stride, sequences);
  }
  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    attention_.paged(cache, layer, q, row_stride, heads, scale, sequences, out);
  }
  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale,
                         float* out) override {
    attention_.segments(qkv, rows, segment_rows, heads, dim, scale, out);
  }
  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights,
                   int per_token, float* y) override;

 private:
  template <typename Body>
  void by_rows(int64_t rows, int64_t width, Body body) {
    constexpr int64_t kGrainElements = 16384;  // about the work that is worth waking a thread for
    const int64_t grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, width));
    pool_.parallel_for(rows, grain, [&](int64_t begin, int64_t end, int) { body(begin, end - begin); });
  }

  void product(const CpuLinear& w, const float* x, int64_t rows, float* y, Finish finish) {
    const int64_t panels = panel_count(w.out_features);
    const float* const bias = w.bias.empty() ? nullptr : w.bias.data();
    // Pieces small enough that the threads finish together, whole groups of the four panels that run side by side.
    const int64_t grain = round_up(std::max<int64_t>(1, panels / (8 * pool_.size())), 4);
    if (cpu::is_quantised(w.format)) {
      const auto format = cpu::quant_format(w.format);
      const void* const inputs = quantise_inputs(x, rows, w.in_features, format);
      pool_.parallel_for(panels, grain, [&](int64_t begin, int64_t end, int) {
        table_.product_quant({.inputs = inputs, .rows = rows, .panels = w.panels.data(), .format = format, .in = w.in_features,
                              .panel_begin = begin, .panel_end = end, .c = y, .ldc = w.out_features, .out = w.out_features,
                              .bias = bias, .finish = finish});
      });
      return;
    }
    const bool rounds = rounds_ && w.bf16();
    const auto run = rounds ? table_.product_bf16 : table_.product;
    const void* const packed = rounds ? pack_inputs(x, rows, w.in_features) : nullptr;
    pool_.parallel_for(panels, grain, [&](int64_t begin, int64_t end, int) {
      run({.a = x, .lda = w.in_features, .rows = rows, .panels = w.panels.data(), .bf16 = w.bf16(), .in = w.in_features,
           .panel_begin = begin, .panel_end = end, .c = y, .ldc = w.out_features, .out = w.out_features,
           .bias = bias, .finish = finish, .packed = packed});
    });
  }

  // x[rows, in] as blocks of small integers, once for all threads.
  const void* quantise_inputs(const float* x, int64_t rows, int64_t in, cpu::QuantFormat format) {
    constexpr int64_t kGrainElements = 16384;
    const int64_t block = table_.input_block_bytes[static_cast<int>(format)];
    const size_t bytes = at((rows * cpu::block_count(in) + cpu::kInputSlack) * block);
    if (packed_.size() < bytes) packed_ = Buffer(bytes);
    pool_.parallel_for(rows, std::max<int64_t>(1, kGrainElements / in), [&](int64_t begin, int64_t end, int) {
      table_.quantize(x + begin * in, in, end - begin, in, format, packed_.data() + begin * block, rows);
    });
    return packed_.data();
  }

  // x[rows, in] as the A tiles of product_bf16, once for all threads.
  const void* pack_inputs(const float* x, int64_t rows, int64_t in) {
    constexpr int64_t kTileRows = 16, kGrainElements = 65536;
    if (packed_.size() < at(cpu::packed_bytes(rows, in))) packed_ = Buffer(at(cpu::packed_bytes(rows, in)));
    const int64_t tile_bytes = cpu::packed_bytes(kTileRows, in), tiles = (rows + kTileRows - 1) / kTileRows;
    const int64_t grain = std::max<int64_t>(1, kGrainElements / (kTileRows * in));
    pool_.parallel_for(tiles, grain, [&](int64_t begin, int64_t end, int) {
      const int64_t first = begin * kTileRows, count = std::min(end * kTileRows, rows) - first;
      table_.pack_bf16(x + first * in, in, count, in, packed_.data() + begin * tile_bytes);
    });
    return packed_.data();
  }

  float* scratch(std::vector<float>& buffer, int64_t floats) {
    if (buffer.size() < at(floats)) buffer.resize(at(floats));
    return buffer.data();
  }

  const KernelTable& table_;
  ThreadPool& pool_;
  const bool rounds_;
  cpu::CpuAttention attention_;
  Buffer packed_;
  std::vector<float> expert_x_, expert_wide_, expert_inner_, expert_y_;
};

void CpuOps::experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices,
                         const float* weights, int per_token, float* y) {
  const int64_t hidden = experts.down[0]->out_features, inner = experts.down[0]->in_features;
  float* const gathered = scratch(expert_x_, rows * hidden);
  float* const wide = scratch(expert_wide_, rows * 2 * inner);
  float* const narrow = scratch(expert_inner_, rows * inner);
  float* const result = scratch(expert_y_, rows * hidden);
  std::vector<std::pair<int64_t, float>> chosen;  // row, weight
  for (size_t e = 0; e < experts.down.size(); ++e) {
    chosen.clear();
    for (int64_t i = 0; i < rows * per_token; ++i) {
      if (at(indices[i]) == e) chosen.emplace_back(i / per_token, weights[i]);
    }
    if (chosen.empty()) continue;
    const auto count = static_cast<int64_t>(chosen.size());
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(gathered + i * hidden, x + chosen[at(i)].first * hidden, at(hidden) * sizeof(float));
    }
    linear(*experts.gate_up[e], gathered, count, wide, Activation::kNone);
    swiglu(wide, count, inner, narrow);
    linear(*experts.down[e], narrow, count, result, Activation::kNone);
    for (int64_t i = 0; i < count; ++i) {
      table_.add(result + i * hidden, hidden, chosen[at(i)].second, y + chosen[at(i)].first * hidden);
    }
  }
}

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options)
      : set_(cpu::choose_instruction_set(options.instruction_set)), precision_(options.precision), pool_(options.threads),
        ops_(*set_.table, pool_, options.precision == Precision::kBFloat16) {}

  Ops& ops() override { return ops_; }
  Precision precision() const override { return precision_; }
  std::string description() const override {
    return fmt::format("CPU, {}, {} thread{}, {}", set_.name, pool_.size(), pool_.size() == 1 ? "" : "s",
                       precision_ == Precision::kBFloat16 ? "bfloat16" : "float32");
  }

  std::unique_ptr<Linear> pack_linear(std::span<const ConstTensorView> parts, std::span<const float> bias,
                                      WeightFormat format) override {
    return packer_.pack(parts, bias, format);
  }
  std::string layouts() const override { return cpu::kPanelLayouts; }
  std::unique_ptr<Linear> adopt_linear(int64_t out, int64_t in, uint32_t layout, Buffer bytes,
                                       std::span<const float> bias) override {
    return cpu::MatrixPacker::adopt(out, in, layout, std::move(bytes), bias);
  }
  std::unique_ptr<Linear> make_linear(int64_t out, int64_t in, WeightFormat format, uint64_t seed) override {
    return packer_.make(out, in, format, seed);
  }

  std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, KvFormat format) override {
    return ops_.attention().make_kv_cache(layers, num_kv_heads, head_dim, pages, format);
  }

  size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format) const override {
    return ops_.attention().kv_page_bytes(layers, num_kv_heads, head_dim, format);
  }

 private:
  cpu::InstructionSet set_;
  Precision precision_;
  ThreadPool pool_;
  CpuOps ops_;
  cpu::MatrixPacker packer_{pool_, precision_};
};

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) { return std::make_unique<CpuBackend>(options); }

}  // namespace qvl
