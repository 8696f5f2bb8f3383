// The tensors that a configuration stands for (spec 2.1, 2.2), and a store held to them.
#include <numeric>

#include "base/error.h"
#include "model/config.h"
#include "weights/moe_weights.h"

namespace qvl {
namespace {

class TensorList {
 public:
  void add(std::string name, Shape shape) { tensors.push_back({std::move(name), std::move(shape)}); }
  void linear(const std::string& name, int64_t out, int64_t in) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  }
  void layer_norm(const std::string& name, int64_t width) {
    add(name + ".weight", {width});
    add(name + ".bias", {width});
  }

  std::vector<TensorSpec> tensors;
};

void add_decoder_layer(TensorList& list, const TextConfig& text, int layer) {
  const std::string p = fmt::format("model.language_model.layers.{}.", layer);
  const int64_t hidden = text.hidden_size, head_dim = text.head_dim;
  const int64_t q = text.num_attention_heads * head_dim, kv = text.num_key_value_heads * head_dim;
  list.add(p + "input_layernorm.weight", {hidden});
  list.add(p + "self_attn.q_proj.weight", {q, hidden});
  list.add(p + "self_attn.k_proj.weight", {kv, hidden});
  list.add(p + "self_attn.v_proj.weight", {kv, hidden});
  list.add(p + "self_attn.q_norm.weight", {head_dim});
  list.add(p + "self_attn.k_norm.weight", {head_dim});
  list.add(p + "self_attn.o_proj.weight", {hidden, q});
  list.add(p + "post_attention_layernorm.weight", {hidden});
  if (text.layer_is_moe(layer)) {
    const int64_t experts = text.moe->num_experts, inner = text.moe->moe_intermediate_size;
    list.add(p + "mlp.gate.weight", {experts, hidden});
    list.add(p + "mlp.experts.gate_up_proj", {experts, hidden, 2 * inner});
    list.add(p + "mlp.experts.down_proj", {experts, inner, hidden});
  } else {
    const int64_t inner = text.intermediate_size;
    list.add(p + "mlp.gate_proj.weight", {inner, hidden});
    list.add(p + "mlp.up_proj.weight", {inner, hidden});
    list.add(p + "mlp.down_proj.weight", {hidden, inner});
  }
}

void add_merger(TensorList& list, const std::string& p, const VisionConfig& vision, int64_t norm_width) {
  const int64_t joined = int64_t{vision.hidden_size} * vision.merge_unit();
  list.layer_norm(p + "norm", norm_width);
  list.linear(p + "linear_fc1", joined, joined);
  list.linear(p + "linear_fc2", vision.out_hidden_size, joined);
}

void add_vision(TensorList& list, const VisionConfig& vision) {
  const int64_t width = vision.hidden_size;
  list.add("model.visual.patch_embed.proj.weight",
           {width, vision.in_channels, vision.temporal_patch_size, vision.patch_size, vision.patch_size});
  list.add("model.visual.patch_embed.proj.bias", {width});
  list.add("model.visual.pos_embed.weight", {vision.num_position_embeddings, width});
  for (int block = 0; block < vision.depth; ++block) {
    const std::string p = fmt::format("model.visual.blocks.{}.", block);
    list.layer_norm(p + "norm1", width);
    list.layer_norm(p + "norm2", width);
    list.linear(p + "attn.qkv", 3 * width, width);
    list.linear(p + "attn.proj", width, width);
    list.linear(p + "mlp.linear_fc1", vision.intermediate_size, width);
    list.linear(p + "mlp.linear_fc2", width, vision.intermediate_size);
  }
  // The main merger normalises each patch, the DeepStack ones the joined patches (golden fact 16).
  add_merger(list, "model.visual.merger.", vision, width);
  for (size_t j = 0; j < vision.deepstack_visual_indexes.size(); ++j) {
    add_merger(list, fmt::format("model.visual.deepstack_merger_list.{}.", j), vision, width * vision.merge_unit());
  }
}

bool is_float(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16 ||
         dtype == DType::kF8E4M3;
}

void check_tensor(WeightStore& store, const TensorSpec& expected) {
  const TensorInfo found = store.info(expected.name);
  if (found.shape != expected.shape) {
    const bool rows = expected.name == "model.language_model.embed_tokens.weight" && found.shape.size() == 2 &&
                      found.shape[1] == expected.shape[1];
    if (rows) {
      throw_error(ErrorKind::kModel, "model_config",
                  "config.json: text_config.vocab_size: expected {}, the rows of the token embedding, found {}",
                  found.shape[0], expected.shape[0]);
    }
    throw_error(ErrorKind::kModel, "model_shape", "tensor {}: expected shape {} by config.json, found {}",
                expected.name, to_string(expected.shape), to_string(found.shape));
  }
  if (!is_float(found.dtype)) {
    throw_error(ErrorKind::kModel, "model_dtype", "tensor {}: expected floating-point numbers such as BF16, found {}",
                expected.name, dtype_name(found.dtype));
  }
}

}  // namespace

std::vector<TensorSpec> expected_tensors(const ModelConfig& config) {
  TensorList list;
  const TextConfig& text = config.text;
  list.add("model.language_model.embed_tokens.weight", {text.vocab_size, text.hidden_size});
  for (int layer = 0; layer < text.num_hidden_layers; ++layer) add_decoder_layer(list, text, layer);
  list.add("model.language_model.norm.weight", {text.hidden_size});
  if (!text.tie_word_embeddings) list.add("lm_head.weight", {text.vocab_size, text.hidden_size});
  add_vision(list, config.vision);
  return std::move(list.tensors);
}

int64_t parameter_count(const ModelConfig& config) {
  int64_t total = 0;
  for (const TensorSpec& tensor : expected_tensors(config)) {
    total += std::accumulate(tensor.shape.begin(), tensor.shape.end(), int64_t{1}, std::multiplies<>());
  }
  return total;
}

void check_tensors(WeightStore& store, const ModelConfig& config) {
  const TextConfig& text = config.text;
  std::vector<std::string> missing;
  std::vector<TensorSpec> present;
  for (TensorSpec& tensor : expected_tensors(config)) {
    if (tensor.name.ends_with(".mlp.experts.gate_up_proj") || tensor.name.ends_with(".mlp.experts.down_proj")) continue;
    if (store.has(tensor.name)) {
      present.push_back(std::move(tensor));
    } else {
      missing.push_back(std::move(tensor.name));
    }
  }
  for (int layer = 0; layer < text.num_hidden_layers; ++layer) {
    if (!text.layer_is_moe(layer)) continue;
    const std::string prefix = fmt::format("model.language_model.layers.{}.mlp.experts", layer);
    for (std::string& name : missing_expert_tensors(store, prefix, text.moe->num_experts))
      missing.push_back(std::move(name));
  }
  if (!missing.empty()) {
    throw_error(ErrorKind::kModel, "model_tensor_missing", "{} tensor{} of the model {} missing: {}", missing.size(),
                missing.size() == 1 ? "" : "s", missing.size() == 1 ? "is" : "are", name_list(missing));
  }
  for (const TensorSpec& tensor : present) check_tensor(store, tensor);
  for (int layer = 0; layer < text.num_hidden_layers; ++layer) {
    if (!text.layer_is_moe(layer)) continue;
    check_expert_tensors(store, fmt::format("model.language_model.layers.{}.mlp.experts", layer), text.moe->num_experts,
                         text.hidden_size, text.moe->moe_intermediate_size);
  }
  // Some repacks of tied models repeat the embedding.
  if (text.tie_word_embeddings && store.has("lm_head.weight")) {
    check_tensor(store, {"lm_head.weight", {text.vocab_size, text.hidden_size}});
  }
}

}  // namespace qvl
