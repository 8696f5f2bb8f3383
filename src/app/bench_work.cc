#include "app/bench_work.h"

#include <functional>
#include <numeric>
#include <string_view>

namespace qvl {
namespace {

double elements(const Shape& shape) {
  return static_cast<double>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>()));
}

void add_vision(ModelWork& work, const VisionConfig& vision, const TensorSpec& tensor) {
  if (tensor.shape.size() < 2 || tensor.name == "model.visual.pos_embed.weight") return;  // a table, interpolated
  const bool merger = tensor.name.find("merger") != std::string::npos;
  work.patch += elements(tensor.shape) / (merger ? vision.merge_unit() : 1);
  work.vision_weights += elements(tensor.shape);
}

void add_text(ModelWork& work, const TextConfig& text, const TensorSpec& tensor) {
  if (tensor.shape.size() < 2) return;
  const bool embedding = tensor.name == "model.language_model.embed_tokens.weight";
  const bool experts = tensor.shape.size() == 3;
  const double macs = elements(tensor.shape);
  work.text_weights += macs;
  if (tensor.name == "lm_head.weight" || (embedding && text.tie_word_embeddings)) {
    work.head += macs;
  } else if (!embedding) {
    work.token += experts ? macs / text.moe->num_experts * text.moe->num_experts_per_tok : macs;
  }
}

}  // namespace

ModelWork model_work(const ModelConfig& config) {
  ModelWork work;
  for (const TensorSpec& tensor : expected_tensors(config)) {
    if (tensor.name.starts_with("model.visual.")) {
      add_vision(work, config.vision, tensor);
    } else {
      add_text(work, config.text, tensor);
    }
  }
  const TextConfig& text = config.text;
  work.attended = 2.0 * text.num_hidden_layers * text.num_attention_heads * text.head_dim;
  work.attended_patch = 2.0 * config.vision.depth * config.vision.hidden_size;
  return work;
}

double text_macs(const ModelWork& work, int64_t past, int64_t tokens, int64_t logit_rows) {
  const auto n = static_cast<double>(tokens);
  const double visible = n * static_cast<double>(past) + n * (n + 1) / 2;  // token i sees past + i + 1
  return n * work.token + visible * work.attended + static_cast<double>(logit_rows) * work.head;
}

double vision_macs(const ModelWork& work, const Grid& grid) {
  const auto patches = static_cast<double>(grid.patches());
  return patches * work.patch + patches * static_cast<double>(grid.h) * static_cast<double>(grid.w) * work.attended_patch;
}

}  // namespace qvl
