#include "ops/ref_ops.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

struct RefLinear : Linear {
  using Linear::Linear;
  size_t packed_bytes() const override { return weight.size() * sizeof(float); }
  std::vector<float> weight, bias;  // [out, in], [out] or empty
};

const RefLinear& cast(const Linear& w) { return static_cast<const RefLinear&>(w); }

struct RefKvCache : KvCache {
  RefKvCache(int l, int h, int d, int p)
      : KvCache(l, h, d, p), k(at(l) * at(p) * kPageTokens * at(h) * at(d)), v(k.size()) {}
  size_t bytes() const override { return 2 * k.size() * sizeof(float); }
  size_t index(int layer, int64_t page, int64_t slot) const {
    return ((at(layer) * at(pages) + at(page)) * kPageTokens + at(slot)) * at(num_kv_heads) * at(head_dim);
  }
  std::vector<float> k, v;  // [layers, pages, kPageTokens, kv_heads, head_dim]
};

float activate(float x, Activation activation) {
  const double d = x;
  if (activation == Activation::kGeluTanh) {
    return static_cast<float>(0.5 * d * (1 + std::tanh(std::sqrt(2 / M_PI) * (d + 0.044715 * d * d * d))));
  }
  if (activation == Activation::kGeluErf) return static_cast<float>(0.5 * d * (1 + std::erf(d / std::sqrt(2.0))));
  return x;
}

// One query against tokens 0..count-1, whose keys and values `key(i)` and `value(i)` point at.
template <typename Key, typename Value>
void attend(const float* q, int dim, float scale, int64_t count, Key key, Value value, float* out) {
  std::vector<double> p(at(count));
  double top = -INFINITY, sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    double s = 0;
    for (int d = 0; d < dim; ++d) s += double{q[d]} * key(i)[d];
    p[at(i)] = s * scale;
    top = std::max(top, p[at(i)]);
  }
  for (double& x : p) sum += x = std::exp(x - top);
  for (int d = 0; d < dim; ++d) {
    double s = 0;
    for (int64_t i = 0; i < count; ++i) s += p[at(i)] * value(i)[d];
    out[d] = static_cast<float>(s / sum);
  }
}

class RefOps : public Ops {
 public:
  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation, int64_t y_stride) override {
    const int64_t out = w.out_features, gap = y_stride == 0 ? 0 : y_stride - out;
    product(cast(w), x, rows, [&](int64_t i, float value) { y[i + i / out * gap] = activate(value, activation); });
  }

  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override {
    product(cast(w), x, rows, [&](int64_t i, float value) { y[i] += value; });
  }

  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override {
    const auto& w = cast(table);
    for (size_t i = 0; i < ids.size(); ++i) {
      std::copy_n(w.weight.data() + ids[i] * w.in_features, w.in_features, y + at(w.in_features) * i);
    }
  }

  void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) override {
    for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
      double sum = 0;
      for (int64_t i = 0; i < width; ++i) sum += double{x[i]} * x[i];
      const double scale = 1 / std::sqrt(sum / static_cast<double>(width) + eps);
      for (int64_t i = 0; i < width; ++i) y[i] = static_cast<float>(x[i] * scale) * weight[i];
    }
  }

  void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps,
                  float* y) override {
    for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < width; ++i) sum += x[i];
      const double mean = sum / static_cast<double>(width);
      for (int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
      const double scale = 1 / std::sqrt(squares / static_cast<double>(width) + eps);
      for (int64_t i = 0; i < width; ++i) y[i] = static_cast<float>((x[i] - mean) * scale * weight[i] + bias[i]);
    }
  }

  void swiglu(const float* x, int64_t rows, int64_t inner, float* y) override {
    for (int64_t r = 0; r < rows; ++r, x += 2 * inner, y += inner) {
      for (int64_t i = 0; i < inner; ++i) {
        y[i] = static_cast<float>(x[i] / (1 + std::exp(-double{x[i]})) * x[inner + i]);
      }
    }
  }

  void add(const float* x, int64_t count, float* y) override {
    for (int64_t i = 0; i < count; ++i) y[i] += x[i];
  }

  void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps,
                 const float* cos, const float* sin) override {
    const int half = dim / 2;
    for (int64_t r = 0; r < rows; ++r) {
      for (int h = 0; h < heads; ++h) {
        float* const p = x + r * row_stride + h * dim;
        if (weight != nullptr) rms_norm(p, 1, dim, weight, eps, p);
        for (int j = 0; j < half; ++j) {
          const double c = cos[r * half + j], s = sin[r * half + j], a = p[j], b = p[j + half];
          p[j] = static_cast<float>(a * c - b * s);
          p[j + half] = static_cast<float>(b * c + a * s);
        }
      }
    }
  }

  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences) override {
    auto& kv = static_cast<RefKvCache&>(cache);
    const int64_t width = int64_t{kv.num_kv_heads} * kv.head_dim;
    for (const auto& s : sequences) {
      for (int64_t i = 0; i < s.rows; ++i) {
        const int64_t token = s.past + i, row = s.row_begin + i;
        const size_t to = kv.index(layer, s.pages[at(token / KvCache::kPageTokens)], token % KvCache::kPageTokens);
        std::copy_n(k + row * row_stride, width, kv.k.data() + to);
        std::copy_n(v + row * row_stride, width, kv.v.data() + to);
      }
    }
  }

  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    const auto& kv = static_cast<const RefKvCache&>(cache);
    const int dim = kv.head_dim, group = heads / kv.num_kv_heads;
    for (const auto& s : sequences) {
      for (int64_t i = 0; i < s.rows; ++i) {
        const int64_t row = s.row_begin + i;
        for (int h = 0; h < heads; ++h) {
          const auto token = [&](int64_t t) {
            return kv.index(layer, s.pages[at(t / KvCache::kPageTokens)], t % KvCache::kPageTokens) + at(h / group) * at(dim);
          };
          attend(q + row * row_stride + h * dim, dim, scale, s.past + i + 1, [&](int64_t t) { return &kv.k[token(t)]; },
                 [&](int64_t t) { return &kv.v[token(t)]; }, out + (row * heads + h) * dim);
        }
      }
    }
  }

  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat,
                         float* out) override {
    const int64_t width = int64_t{heads} * dim;
    for (int64_t r = 0; r < rows; ++r) {
      const float* const first = qkv + r / segment_rows * segment_rows * 3 * width;
      for (int h = 0; h < heads; ++h) {
        attend(qkv + r * 3 * width + h * dim, dim, scale, segment_rows,
               [&](int64_t i) { return first + i * 3 * width + width + h * dim; },
               [&](int64_t i) { return first + i * 3 * width + 2 * width + h * dim; }, out + r * width + h * dim);
      }
    }
  }

  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights,
                   int per_token, float* y) override {
    for (int64_t r = 0; r < rows; ++r) {
      for (int j = 0; j < per_token; ++j) {
        const auto& gate_up = *experts.gate_up[at(indices[r * per_token + j])];
        const auto& down = *experts.down[at(indices[r * per_token + j])];
        std::vector<float> wide(at(gate_up.out_features)), inner(at(down.in_features)), result(at(down.out_features));
        linear(gate_up, x + r * gate_up.in_features, 1, wide.data(), Activation::kNone, 0);
        swiglu(wide.data(), 1, down.in_features, inner.data());
        linear(down, inner.data(), 1, result.data(), Activation::kNone, 0);
        const float weight = weights[r * per_token + j];
        for (int64_t i = 0; i < down.out_features; ++i) y[r * down.out_features + i] += weight * result[at(i)];
      }
    }
  }

 private:
  template <typename Store>
  static void product(const RefLinear& w, const float* x, int64_t rows, Store store) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t o = 0; o < w.out_features; ++o) {
        double sum = w.bias.empty() ? 0 : w.bias[at(o)];
        const float* const row = w.weight.data() + o * w.in_features;
        for (int64_t i = 0; i < w.in_features; ++i) sum += double{row[i]} * x[r * w.in_features + i];
        store(r * w.out_features + o, static_cast<float>(sum));
      }
    }
  }
};

class RefBackend : public Backend {
 public:
  Ops& ops() override { return ops_; }
  Precision precision() const override { return Precision::kFloat32; }
  std::string description() const override { return "reference, float32"; }

  std::unique_ptr<Linear> pack_linear(std::span<const ConstTensorView> parts, std::span<const float> bias,
                                      WeightFormat, const InputMoments*) override {
    int64_t out = 0;
    for (const auto& part : parts) out += part.shape[0];
    auto linear = std::make_unique<RefLinear>(out, parts[0].shape[1]);
    linear->bias.assign(bias.begin(), bias.end());
    for (const auto& part : parts) {
      const size_t begin = linear->weight.size();
      linear->weight.resize(begin + at(part.elements()));
      convert_to_float(part, 0, part.elements(), linear->weight.data() + begin);
    }
    return linear;
  }

  std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, KvFormat) override {
    return std::make_unique<RefKvCache>(layers, num_kv_heads, head_dim, pages);
  }
  size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat) const override {
    return 2 * sizeof(float) * KvCache::kPageTokens * at(layers) * at(num_kv_heads) * at(head_dim);
  }

 private:
  RefOps ops_;
};

}  // namespace

std::unique_ptr<Backend> make_ref_backend() { return std::make_unique<RefBackend>(); }

}  // namespace qvl
