#include "cpu/cpu_backend.h"

#include "base/check.h"
#include "base/error.h"
#include "base/thread_pool.h"
#include "cpu/cpu_attention.h"
#include "cpu/cpu_experts.h"
#include "cpu/cpu_linear.h"
#include "cpu/cpu_pack.h"
#include "cpu/cpu_products.h"
#include "cpu/instruction_sets.h"
#include "cpu/moments.h"
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

class CpuOps : public Ops {
 public:
  // rounds: products and attention may run in bfloat16 where the table has them.
  CpuOps(const KernelTable& table, ThreadPool& pool, bool rounds)
      : table_(table), pool_(pool), products_(table, pool, rounds),
        attention_(table, pool, rounds ? Precision::kBFloat16 : Precision::kFloat32) {}

  const cpu::CpuAttention& attention() const { return attention_; }

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation,
              int64_t y_stride) override {
    static constexpr Finish kFinish[] = {Finish::kStore, Finish::kGeluTanh, Finish::kGeluErf};
    product(cpu::cast(w), x, rows, y, y_stride, kFinish[static_cast<int>(activation)]);
  }

  void linear_best(const Linear& w, const float* x, int64_t rows, float* y, std::span<const BestOf> best) override {
    product(cpu::cast(w), x, rows, y, 0, Finish::kStore, best);
  }

  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override {
    product(cpu::cast(w), x, rows, y, 0, Finish::kAdd);
  }

  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override {
    const auto& w = cpu::cast(table);
    pool_.parallel_for(static_cast<int64_t>(ids.size()), 16, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        if (w.format == cpu::PanelFormat::kHalves) {
          cpu::dequantise_halves(w.panels.data(), w.out_features, w.in_features, ids[at(r)], y + r * w.in_features);
          continue;
        }
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

  void add_moments(const float* x, int64_t rows, InputMoments& to) override {
    pool_.parallel_for(to.blocks(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t block = begin; block < end; ++block) cpu::add_moments(x, rows, block, to);
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
  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat format,
                         float* out) override {
    attention_.segments(qkv, rows, segment_rows, heads, dim, scale, format, out);
  }
  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights,
                   int per_token, float* y) override {
    experts_.add(experts, x, rows, indices, weights, per_token, y);
  }

 private:
  template <typename Body>
  void by_rows(int64_t rows, int64_t width, Body body) {
    pool_.parallel_for(rows, cpu::row_grain(width), [&](int64_t begin, int64_t end, int) { body(begin, end - begin); });
  }

  void product(const CpuLinear& w, const float* x, int64_t rows, float* y, int64_t y_stride, Finish finish, std::span<const BestOf> best = {}) {
    const int64_t stride = y_stride == 0 ? w.out_features : y_stride;
    if (w.format == cpu::PanelFormat::kHalves) {
      QVL_CHECK(finish == Finish::kStore, "a matrix in halves serves linear() without an activation");
      return products_.run_halves(w, x, rows, y, stride, best);
    }
    const cpu::CpuProducts::Group all = {&w, 0, rows};
    products_.run({&all, 1}, x, y, stride, finish);
  }

  const KernelTable& table_;
  ThreadPool& pool_;
  cpu::CpuProducts products_;
  cpu::CpuAttention attention_;
  cpu::CpuExperts experts_{table_, pool_, products_};
};

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
                                      WeightFormat format, const InputMoments* moments) override {
    return packer_.pack(parts, bias, format, moments);
  }
  size_t linear_bytes(int64_t out, int64_t in, WeightFormat format, DType stored) const override {
    return packer_.bytes(out, in, format, stored);
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
