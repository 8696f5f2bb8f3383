#include "model/known_models.h"

#include <utility>

namespace qvl {
namespace {

struct Size {
  const char* name;
  int hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, num_key_value_heads;
  bool tie_word_embeddings;
  bool large_vision;
  int moe_intermediate_size;  // 0: dense
};

constexpr Size kSizes[] = {
    {"qwen3-vl-2b", 2048, 6144, 28, 16, 8, true, false, 0},
    {"qwen3-vl-4b", 2560, 9728, 36, 32, 8, true, false, 0},
    {"qwen3-vl-8b", 4096, 12288, 36, 32, 8, false, true, 0},
    {"qwen3-vl-32b", 5120, 25600, 64, 64, 8, false, true, 0},
    {"qwen3-vl-30b-a3b", 2048, 6144, 48, 32, 4, false, true, 768},
    {"qwen3-vl-235b-a22b", 4096, 12288, 94, 64, 4, false, true, 1536},
};

TextConfig make_text(const Size& size) {
  TextConfig text;
  text.vocab_size = 151936;
  text.hidden_size = size.hidden_size;
  text.intermediate_size = size.intermediate_size;
  text.num_hidden_layers = size.num_hidden_layers;
  text.num_attention_heads = size.num_attention_heads;
  text.num_key_value_heads = size.num_key_value_heads;
  text.head_dim = 128;
  text.max_position_embeddings = 262144;
  text.tie_word_embeddings = size.tie_word_embeddings;
  if (size.moe_intermediate_size > 0) {
    MoeConfig moe;
    moe.num_experts = 128;
    moe.num_experts_per_tok = 8;
    moe.moe_intermediate_size = size.moe_intermediate_size;
    text.moe = std::move(moe);
  }
  return text;
}

VisionConfig make_vision(const Size& size) {
  VisionConfig vision;
  vision.depth = size.large_vision ? 27 : 24;
  vision.hidden_size = size.large_vision ? 1152 : 1024;
  vision.intermediate_size = size.large_vision ? 4304 : 4096;
  vision.num_heads = 16;
  vision.num_position_embeddings = 2304;
  vision.out_hidden_size = size.hidden_size;
  vision.deepstack_visual_indexes = size.large_vision ? std::vector<int>{8, 16, 24} : std::vector<int>{5, 11, 17};
  return vision;
}

}  // namespace

std::vector<std::string> known_model_names() {
  std::vector<std::string> names;
  for (const Size& size : kSizes) names.emplace_back(size.name);
  return names;
}

std::optional<ModelConfig> known_model(std::string_view name) {
  for (const Size& size : kSizes) {
    if (name != size.name) continue;
    ModelConfig config;
    config.model_type = size.moe_intermediate_size > 0 ? "qwen3_vl_moe" : "qwen3_vl";
    config.text = make_text(size);
    config.vision = make_vision(size);
    config.image_token_id = 151655;
    config.video_token_id = 151656;
    config.vision_start_token_id = 151652;
    config.vision_end_token_id = 151653;
    config.eos_token_id = {151645};
    return config;
  }
  return std::nullopt;
}

}  // namespace qvl
