// The model's dimensions: plain data, parsed from config.json and its companions once and validated there.
// Field names are those of config.json.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "tensor/tensor.h"
#include "weights/weight_store.h"

namespace qvl {

struct RopeConfig {
  double rope_theta = 5e6;
  std::array<int, 3> mrope_section = {24, 20, 20};  // t, h, w; sums to head_dim / 2
  bool yarn = false;                                // rope_type "yarn"; else "default"
  double factor = 1;
  int64_t original_max_position_embeddings = 0;
  double beta_fast = 32, beta_slow = 1;
  std::optional<double> attention_factor;  // default 0.1 ln(factor) + 1
};

struct MoeConfig {
  int num_experts = 0;
  int num_experts_per_tok = 0;
  int moe_intermediate_size = 0;
  int decoder_sparse_step = 1;
  std::vector<int> mlp_only_layers;
};

struct TextConfig {
  int vocab_size = 0;
  int hidden_size = 0;
  int intermediate_size = 0;
  int num_hidden_layers = 0;
  int num_attention_heads = 0;
  int num_key_value_heads = 0;
  int head_dim = 0;
  double rms_norm_eps = 1e-6;
  int64_t max_position_embeddings = 0;
  bool tie_word_embeddings = false;  // the top-level flag where both stand (spec, golden fact 22)
  RopeConfig rope;
  std::optional<MoeConfig> moe;

  bool layer_is_moe(int layer) const;
};

struct VisionConfig {
  int depth = 0;
  int hidden_size = 0;
  int intermediate_size = 0;
  int num_heads = 0;
  int in_channels = 3;
  int patch_size = 16;
  int temporal_patch_size = 2;
  int spatial_merge_size = 2;
  int num_position_embeddings = 0;  // a square: side * side
  int out_hidden_size = 0;          // = the text model's hidden_size
  std::vector<int> deepstack_visual_indexes;

  int patch_dim() const { return in_channels * temporal_patch_size * patch_size * patch_size; }  // 1536
  int merge_unit() const { return spatial_merge_size * spatial_merge_size; }                     // 4
};

struct ModelConfig {
  std::string model_type;  // "qwen3_vl" or "qwen3_vl_moe"
  TextConfig text;
  VisionConfig vision;
  int image_token_id = 0, video_token_id = 0, vision_start_token_id = 0, vision_end_token_id = 0;
  std::vector<int> eos_token_id;  // config.json's own; generation_config.json's take precedence. May be empty
};

// What generation_config.json recommends; absent fields are the engine's defaults.
struct GenerationConfig {
  std::vector<int> eos_token_id;
  std::optional<double> temperature, top_p, min_p, repetition_penalty, presence_penalty;
  std::optional<int> top_k;
  bool do_sample = true;
};

// Both styles of file: transformers 4.57 (rope_scaling + rope_theta) and 5.x (rope_parameters).
// Errors: kModel "model_config", naming the file, the field, what was expected and what was found.
ModelConfig parse_model_config(const Json& json, const std::string& file);
ModelConfig load_model_config(const std::filesystem::path& folder);
// A missing generation_config.json gives the defaults above with config.eos_token_id.
GenerationConfig load_generation_config(const std::filesystem::path& folder, const ModelConfig& config);

struct TensorSpec {
  std::string name;
  Shape shape;
};
// Every tensor of a checkpoint with this configuration, names as in weight_store.h, expert tensors fused in the
// orientation of the published files ([experts, hidden, 2*inner] and [experts, inner, hidden]).
std::vector<TensorSpec> expected_tensors(const ModelConfig& config);
int64_t parameter_count(const ModelConfig& config);  // sum over expected_tensors()

// Before anything is read or packed: every expected tensor is there, with its shape and a floating-point type. Expert
// tensors may have any layout of weights/moe_weights.h, and a tied model may repeat its embedding as lm_head.weight.
// Takes none. Errors: kModel "model_tensor_missing" (the first names and the count), "model_shape", "model_dtype", and
// "model_config" where the embedding's rows are not vocab_size.
void check_tensors(WeightStore& store, const ModelConfig& config);

}  // namespace qvl
