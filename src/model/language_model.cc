#include "model/language_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

struct LanguageModel::Layer {
  std::vector<float> input_layernorm, post_attention_layernorm, q_norm, k_norm;
  std::unique_ptr<Linear> qk, v, o_proj;  // v apart: it may be stored in more bits
  std::unique_ptr<Linear> gate_up, down;  // dense
  std::unique_ptr<Linear> router;         // mixture of experts
  PackedExperts experts;
};

void choose_experts(const float* logits, int num_experts, int per_token, int32_t* indices, float* weights) {
  const float top = *std::max_element(logits, logits + num_experts);
  std::vector<float> p(at(num_experts));
  std::vector<int32_t> order(at(num_experts));
  float total = 0;
  for (int e = 0; e < num_experts; ++e) {
    total += p[at(e)] = std::exp(logits[e] - top);
    order[at(e)] = e;
  }
  for (float& x : p) x /= total;
  // NaN logits order nothing: keep the comparison a strict weak order all the same.
  std::partial_sort(order.begin(), order.begin() + per_token, order.end(), [&](int32_t a, int32_t b) {
    const float pa = p[at(a)], pb = p[at(b)];
    return pa > pb || (!(pb > pa) && a < b);
  });
  float sum = 0;
  for (int i = 0; i < per_token; ++i) sum += p[at(order[at(i)])];
  for (int i = 0; i < per_token; ++i) {
    indices[i] = order[at(i)];
    weights[i] = p[at(order[at(i)])] / sum;
  }
}

LanguageModel::LanguageModel(WeightLoader& weights, const TextConfig& config)
    : config_(config), backend_(weights.backend()), ops_(backend_.ops()), mrope_(config) {
  const std::string root = "model.language_model.";
  const int64_t h = config.hidden_size, d = config.head_dim;
  const int64_t q = config.num_attention_heads * d, kv = config.num_key_value_heads * d;
  embed_tokens_ = weights.linear(root + "embed_tokens.weight", config.vocab_size, h);
  for (int i = 0; i < config.num_hidden_layers; ++i) {
    const std::string name = root + "layers." + std::to_string(i) + ".";
    Layer layer;
    layer.input_layernorm = weights.floats(name + "input_layernorm.weight", {h});
    layer.post_attention_layernorm = weights.floats(name + "post_attention_layernorm.weight", {h});
    layer.q_norm = weights.floats(name + "self_attn.q_norm.weight", {d});
    layer.k_norm = weights.floats(name + "self_attn.k_norm.weight", {d});
    const std::string attention = name + "self_attn.";
    layer.qk = weights.stacked({attention + "q_proj.weight", attention + "k_proj.weight"}, {q, kv}, h);
    layer.v = weights.linear(attention + "v_proj.weight", kv, h);
    layer.o_proj = weights.linear(attention + "o_proj.weight", h, q);
    if (config.layer_is_moe(i)) {
      const MoeConfig& moe = *config.moe;
      layer.router = weights.linear(name + "mlp.gate.weight", moe.num_experts, h);
      layer.experts = weights.experts(name + "mlp.experts", moe.num_experts, h, moe.moe_intermediate_size);
    } else {
      const int64_t inner = config.intermediate_size;
      layer.gate_up = weights.stacked({name + "mlp.gate_proj.weight", name + "mlp.up_proj.weight"}, {inner, inner}, h);
      layer.down = weights.linear(name + "mlp.down_proj.weight", h, inner);
    }
    layers_.push_back(std::move(layer));
  }
  norm_ = weights.floats(root + "norm.weight", {h});
  if (!config.tie_word_embeddings) {
    lm_head_ = weights.linear("lm_head.weight", config.vocab_size, h);
  } else if (weights.store().has("lm_head.weight")) {
    weights.skip("lm_head.weight", {config.vocab_size, h});  // some repacks store the tied copy
  }
}

LanguageModel::~LanguageModel() = default;

std::unique_ptr<KvCache> LanguageModel::make_kv_cache(int pages) {
  return backend_.make_kv_cache(config_.num_hidden_layers, config_.num_key_value_heads, config_.head_dim, pages, kv_format_);
}

size_t LanguageModel::kv_page_bytes() const {
  return backend_.kv_page_bytes(config_.num_hidden_layers, config_.num_key_value_heads, config_.head_dim, kv_format_);
}

WeightBytes LanguageModel::weight_bytes() const {
  WeightBytes bytes;
  size_t experts = 0;
  const auto add = [](size_t& sum, const std::unique_ptr<Linear>& w) { sum += w != nullptr ? w->packed_bytes() : 0; };
  for (const Layer& layer : layers_) {
    for (const auto* w : {&layer.qk, &layer.v, &layer.o_proj, &layer.gate_up, &layer.down, &layer.router}) add(bytes.every_pass, *w);
    for (const auto& w : layer.experts.gate_up) add(experts, w);
    for (const auto& w : layer.experts.down) add(experts, w);
    if (!layer.experts.down.empty()) {
      bytes.expert = layer.experts.gate_up[0]->packed_bytes() + layer.experts.down[0]->packed_bytes();
    }
  }
  bytes.total = bytes.every_pass + experts + head().packed_bytes();
  bytes.every_pass += head().best_bytes();
  if (lm_head_ != nullptr) add(bytes.total, embed_tokens_);
  return bytes;
}

void LanguageModel::scatter_visuals(const Batch& batch) {
  const int64_t h = config_.hidden_size;
  for (const auto& v : batch.visuals) {
    QVL_CHECK(v.first_token + v.rows <= v.features->tokens, "visual rows past the features");
    std::memcpy(x_.data() + v.row_begin * h, v.features->embeds.data() + v.first_token * h, at(v.rows * h) * sizeof(float));
  }
}

void LanguageModel::add_deepstack(const Batch& batch, int layer) {
  const int64_t h = config_.hidden_size;
  for (const auto& v : batch.visuals) {
    if (at(layer) >= v.features->deepstack.size()) continue;
    ops_.add(v.features->deepstack[at(layer)].data() + v.first_token * h, v.rows * h, x_.data() + v.row_begin * h);
  }
}

void LanguageModel::attention(const Layer& layer, int index, const Batch& batch, KvCache& cache) {
  const int64_t rows = batch.rows(), d = config_.head_dim;
  const int heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;
  const int64_t width = (heads + 2 * kv_heads) * d;
  const auto eps = static_cast<float>(config_.rms_norm_eps);
  float* const qkv = qkv_.grow(rows * width);
  ops_.linear(*layer.qk, normed_.data(), rows, qkv, Activation::kNone, width);
  float* const k = qkv + heads * d;
  float* const v = k + kv_heads * d;
  ops_.linear(*layer.v, normed_.data(), rows, v, Activation::kNone, width);
  ops_.norm_rope(qkv, rows, width, heads, config_.head_dim, layer.q_norm.data(), eps, cos_.data(), sin_.data());
  ops_.norm_rope(k, rows, width, kv_heads, config_.head_dim, layer.k_norm.data(), eps, cos_.data(), sin_.data());
  ops_.kv_write(cache, index, k, v, width, batch.sequences);
  float* const out = inner_.grow(rows * heads * d);
  ops_.paged_attention(cache, index, qkv, width, heads, 1.0f / std::sqrt(static_cast<float>(d)), batch.sequences, out);
  ops_.linear_add(*layer.o_proj, out, rows, x_.data());
}

void LanguageModel::mlp(const Layer& layer, int index, int64_t rows, const ForwardTrace* trace) {
  if (layer.router == nullptr) {
    const int64_t inner = config_.intermediate_size;
    ops_.linear(*layer.gate_up, normed_.data(), rows, wide_.grow(rows * 2 * inner));
    ops_.swiglu(wide_.data(), rows, inner, inner_.grow(rows * inner));
    ops_.linear_add(*layer.down, inner_.data(), rows, x_.data());
    return;
  }
  const MoeConfig& moe = *config_.moe;
  const int per_token = moe.num_experts_per_tok;
  ops_.linear(*layer.router, normed_.data(), rows, router_.grow(rows * moe.num_experts));
  expert_indices_.resize(at(rows * per_token));
  expert_weights_.grow(rows * per_token);
  for (int64_t r = 0; r < rows; ++r) {
    choose_experts(router_.data() + r * moe.num_experts, moe.num_experts, per_token, expert_indices_.data() + r * per_token,
                   expert_weights_.data() + r * per_token);
  }
  if (trace != nullptr && trace->router) trace->router(index, expert_indices_.data(), expert_weights_.data());
  ops_.experts_add(layer.experts, normed_.data(), rows, expert_indices_.data(), expert_weights_.data(), per_token, x_.data());
}

std::span<const float> LanguageModel::forward(const Batch& batch, KvCache& cache, const std::function<bool()>& stop,
                                              const ForwardTrace* trace) {
  const int64_t rows = batch.rows(), h = config_.hidden_size;
  const auto eps = static_cast<float>(config_.rms_norm_eps);
  mrope_.fill(batch.positions, cos_, sin_);
  x_.grow(rows * h);
  normed_.grow(rows * h);
  ops_.gather_rows(*embed_tokens_, batch.token_ids, x_.data());
  scatter_visuals(batch);
  if (trace != nullptr && trace->embeds) trace->embeds(x_.data());
  for (int i = 0; i < config_.num_hidden_layers; ++i) {
    if (stop && stop()) return {};
    const Layer& layer = layers_[at(i)];
    ops_.rms_norm(x_.data(), rows, h, layer.input_layernorm.data(), eps, normed_.data());
    attention(layer, i, batch, cache);
    ops_.rms_norm(x_.data(), rows, h, layer.post_attention_layernorm.data(), eps, normed_.data());
    mlp(layer, i, rows, trace);
    add_deepstack(batch, i);
    if (trace != nullptr && trace->hidden) trace->hidden(i, x_.data());
  }
  if (trace != nullptr && trace->final_norm) {
    ops_.rms_norm(x_.data(), rows, h, norm_.data(), eps, normed_.data());
    trace->final_norm(normed_.data());
  }
  // Only the rows that are asked for go through the head.
  const auto wanted = static_cast<int64_t>(batch.logit_rows.size());
  for (int64_t i = 0; i < wanted; ++i) {
    ops_.rms_norm(x_.data() + batch.logit_rows[at(i)] * h, 1, h, norm_.data(), eps, normed_.data() + i * h);
  }
  logits_.grow(wanted * config_.vocab_size);
  ops_.linear_best(head(), normed_.data(), wanted, logits_.data(), batch.best);
  return {logits_.data(), at(wanted * config_.vocab_size)};
}

}  // namespace qvl
