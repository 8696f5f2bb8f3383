#include "model/memory_needs.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace qvl {
namespace {

// Of a product's rounded inputs, for each of their values: 16-bit integers and a scale for 256 of them.
constexpr double kRoundedInputBytes = 2.25;

constexpr double kExpertRows = 256;    // that go through experts together, unless one alone has more
constexpr double kChoiceFloats = 5;    // of a chosen expert: its place and its row, 64 bits each, and its order

size_t floats(double count) { return static_cast<size_t>(count * sizeof(float)); }

}  // namespace

size_t weight_needs(const ModelConfig& config, const Backend& backend, Quantize quantize, DType stored) {
  size_t bytes = 0;
  for (const TensorSpec& spec : expected_tensors(config)) {
    const int64_t elements = std::accumulate(spec.shape.begin(), spec.shape.end(), int64_t{1}, std::multiplies<>());
    const bool vector = spec.shape.size() < 2 || spec.name.find("pos_embed") != std::string::npos;
    if (vector) {
      bytes += static_cast<size_t>(elements) * sizeof(float);
      continue;
    }
    // Experts are many matrices [out, in] that the published files fuse with their inputs first.
    const bool experts = spec.name.find(".mlp.experts.") != std::string::npos;
    const int64_t copies = experts ? spec.shape[0] : 1;
    const int64_t out = experts ? spec.shape[2] : spec.shape[0];
    bytes += static_cast<size_t>(copies) *
             backend.linear_bytes(out, elements / copies / out, weight_format(quantize, spec.name), stored);
  }
  return bytes;
}

size_t pass_needs(const TextConfig& c, int64_t rows, int64_t logit_rows) {
  const double h = c.hidden_size, heads = c.num_attention_heads, kv = c.num_key_value_heads, d = c.head_dim;
  double row = 2 * h + (heads + 2 * kv) * d + d;  // x, normed, qkv, angles
  double widest = std::max(h, heads * d);
  const double dense = 3.0 * c.intermediate_size;
  if (c.moe) {
    const double inner = c.moe->moe_intermediate_size, chosen = c.moe->num_experts_per_tok;
    row += std::max(heads * d, 1.0 * c.moe->num_experts) + chosen * kChoiceFloats + h * kRoundedInputBytes / sizeof(float);
    const double together = std::min(chosen, std::max(1.0, kExpertRows / static_cast<double>(rows)));  // of a row's experts
    row += together * (3 * inner + h + h * kRoundedInputBytes / sizeof(float));
    widest = std::max(widest, together * inner);
  } else {
    row += std::max(dense, heads * d);
    widest = std::max<double>(widest, c.intermediate_size);
  }
  return floats(static_cast<double>(rows) * row) +
         static_cast<size_t>(static_cast<double>(rows) * widest * kRoundedInputBytes) +
         floats(2.0 * static_cast<double>(logit_rows) * static_cast<double>(c.vocab_size));  // and how far they may be off
}

size_t picture_needs(const VisionConfig& c, int64_t patches) {
  const double d = c.hidden_size, inner = c.intermediate_size;
  const double features = static_cast<double>(c.out_hidden_size) / c.merge_unit() *
                          static_cast<double>(1 + c.deepstack_visual_indexes.size());
  double row = static_cast<double>(c.patch_dim()) + 6 * d;  // values, x, qkv, attention, positions
  row += 5 * d / c.num_heads;                               // angles; a head by itself
  row += features;
  constexpr double kAttentionPages = 16 << 20, kPieceRows = 1024, kHeads = 32 << 20;
  const double piece_rows = std::min(static_cast<double>(patches), kPieceRows);
  const double piece = piece_rows * (static_cast<double>(sizeof(float)) * (d + inner) + inner * kRoundedInputBytes);
  return floats(static_cast<double>(patches) * row) + static_cast<size_t>(piece + kAttentionPages + kHeads);
}

}  // namespace qvl
