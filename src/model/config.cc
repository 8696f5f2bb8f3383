#include "model/config.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "base/file.h"
#include "base/log.h"
#include "model/config_reader.h"

namespace qvl {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;

// Bounds beyond any model of the family, chosen so that no product of theirs overflows an int64_t.
constexpr int kMaxWidth = 65536;
constexpr int kMaxLayers = 1024;
constexpr int kMaxHeads = 1024;
constexpr int kMaxInner = 1 << 20;
constexpr int kMaxVocab = 1 << 24;
constexpr int kMaxExperts = 4096;
constexpr size_t kMaxStopIds = 64;

RopeConfig parse_rope(const ConfigReader& text, int head_dim, int64_t max_positions) {
  // 5.x has one object with everything; 4.57 has rope_theta beside an object with the rest.
  const char* key = text.has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const ConfigReader rope = text.object(key);
  RopeConfig out;
  out.rope_theta = (rope.has("rope_theta") ? rope : text).number("rope_theta", 2, 1e12);
  const char* type_key = rope.has("rope_type") ? "rope_type" : "type";
  // "mrope" is what early files called the default type with sections.
  const std::string type = rope.word_of(type_key, {"default", "mrope", "yarn"}, "default");

  if (rope.has("mrope_section")) {
    const std::vector<int> section = rope.integers("mrope_section", 0, head_dim, 3);
    if (section.size() != 3) rope.fail("mrope_section", "three numbers");
    std::copy(section.begin(), section.end(), out.mrope_section.begin());
  }
  const auto& s = out.mrope_section;
  if (s[0] + s[1] + s[2] != head_dim / 2) {
    rope.fail("mrope_section", fmt::format("three numbers with the sum head_dim / 2 = {}", head_dim / 2));
  }
  if (!rope.boolean("mrope_interleaved", true)) rope.fail("mrope_interleaved", "true");

  if (type == "yarn") {
    out.yarn = true;
    out.factor = rope.number("factor", 1, 1024);
    out.original_max_position_embeddings =
        rope.integer64("original_max_position_embeddings", 1, int64_t{1} << 31, max_positions);
    out.beta_fast = rope.number("beta_fast", 1e-3, 1e6, 32);
    out.beta_slow = rope.number("beta_slow", 1e-3, out.beta_fast, 1);
    out.attention_factor = rope.optional_number("attention_factor", 1e-3, 1e3);
    // Variants of other families that would change the frequencies.
    if (!rope.boolean("truncate", true)) rope.fail("truncate", "true");
    for (const char* other : {"mscale", "mscale_all_dim"}) {
      if (rope.has(other)) rope.fail(other, "nothing: it does not belong to this family");
    }
  }
  return out;
}

MoeConfig parse_moe(const ConfigReader& text, int layers) {
  MoeConfig moe;
  moe.num_experts = text.integer("num_experts", 1, kMaxExperts);
  moe.num_experts_per_tok = text.integer("num_experts_per_tok", 1, moe.num_experts);
  moe.moe_intermediate_size = text.integer("moe_intermediate_size", 1, kMaxInner);
  moe.decoder_sparse_step = text.integer("decoder_sparse_step", 1, kMaxLayers, 1);
  moe.mlp_only_layers = text.integers("mlp_only_layers", 0, layers - 1, kMaxLayers);
  if (!text.boolean("norm_topk_prob", true)) {
    // The reference renormalises without looking at it (golden fact 21).
    log_warn(
        "config.json: text_config.norm_topk_prob is false; the weights of the chosen experts are normalised all the "
        "same");
  }
  return moe;
}

TextConfig parse_text(const ConfigReader& text, bool is_moe) {
  TextConfig out;
  out.vocab_size = text.integer("vocab_size", 1, kMaxVocab);
  out.hidden_size = text.integer("hidden_size", 1, kMaxWidth);
  out.num_hidden_layers = text.integer("num_hidden_layers", 1, kMaxLayers);
  out.num_attention_heads = text.integer("num_attention_heads", 1, kMaxHeads);
  out.num_key_value_heads = text.integer("num_key_value_heads", 1, out.num_attention_heads);
  if (out.num_attention_heads % out.num_key_value_heads != 0) {
    text.fail("num_key_value_heads", fmt::format("a divisor of num_attention_heads = {}", out.num_attention_heads));
  }
  out.head_dim = text.integer("head_dim", 2, 1024, 128);  // read, never derived: heads * head_dim is not hidden_size
  if (out.head_dim % 2 != 0) text.fail("head_dim", "an even number");
  out.rms_norm_eps = text.number("rms_norm_eps", 1e-12, 0.1, 1e-6);
  out.max_position_embeddings = text.integer64("max_position_embeddings", 1, int64_t{1} << 31);
  text.word_of("hidden_act", {"silu"}, "silu");
  if (text.boolean("attention_bias", false)) text.fail("attention_bias", "false");
  out.rope = parse_rope(text, out.head_dim, out.max_position_embeddings);
  if (is_moe) out.moe = parse_moe(text, out.num_hidden_layers);
  bool any_dense = false;
  for (int layer = 0; layer < out.num_hidden_layers; ++layer) any_dense |= !out.layer_is_moe(layer);
  // Of a model whose layers are all MoE the field is a leftover.
  out.intermediate_size =
      text.integer("intermediate_size", any_dense ? 1 : 0, kMaxInner, any_dense ? std::nullopt : std::optional<int>(0));
  return out;
}

VisionConfig parse_vision(const ConfigReader& vision, const TextConfig& text) {
  VisionConfig out;
  out.depth = vision.integer("depth", 1, kMaxLayers);
  out.hidden_size = vision.integer("hidden_size", 1, kMaxWidth);
  out.intermediate_size = vision.integer("intermediate_size", 1, kMaxInner);
  out.num_heads = vision.integer("num_heads", 1, kMaxHeads);
  if (out.hidden_size % out.num_heads != 0) {
    vision.fail("num_heads", fmt::format("a divisor of hidden_size = {}", out.hidden_size));
  }
  // Half of the rotated pairs turn by the row and half by the column (spec 5.3).
  if (out.hidden_size / out.num_heads % 4 != 0)
    vision.fail("num_heads", "hidden_size / num_heads to be a multiple of 4");
  out.in_channels = vision.integer("in_channels", 3, 3, 3);
  out.patch_size = vision.integer("patch_size", 1, 64, 16);
  out.temporal_patch_size = vision.integer("temporal_patch_size", 1, 16, 2);
  out.spatial_merge_size = vision.integer("spatial_merge_size", 1, 16, 2);
  out.num_position_embeddings = vision.integer("num_position_embeddings", 1, 1 << 20);
  int side = 1;
  while (side * side < out.num_position_embeddings) ++side;
  if (side * side != out.num_position_embeddings) vision.fail("num_position_embeddings", "a square number");
  out.out_hidden_size = vision.integer("out_hidden_size", text.hidden_size, text.hidden_size);
  vision.word_of("hidden_act", {"gelu_pytorch_tanh"}, "gelu_pytorch_tanh");
  out.deepstack_visual_indexes = vision.has("deepstack_visual_indexes")
                                     ? vision.integers("deepstack_visual_indexes", 0, out.depth - 1, kMaxLayers)
                                     : std::vector<int>{8, 16, 24};
  const auto& taps = out.deepstack_visual_indexes;
  if (!std::is_sorted(taps.begin(), taps.end(), std::less_equal<>()) || (!taps.empty() && taps.back() >= out.depth)) {
    vision.fail("deepstack_visual_indexes", fmt::format("ascending numbers of 0..{}", out.depth - 1));
  }
  // Feature j is added after decoder layer j.
  if (taps.size() > static_cast<size_t>(text.num_hidden_layers)) {
    vision.fail("deepstack_visual_indexes",
                fmt::format("at most num_hidden_layers = {} numbers", text.num_hidden_layers));
  }
  return out;
}

// FP8 blocks are read (spec 1.5); any other quantised layout has tensors of other names and shapes.
void check_quantization(const ConfigReader& root) {
  if (!root.has("quantization_config")) return;
  const ConfigReader quantization = root.object("quantization_config");
  quantization.word_of("quant_method", {"fp8"}, "");
  quantization.word_of("fmt", {"e4m3"}, "e4m3");
  const std::vector<int> block = quantization.integers("weight_block_size", 0, kMaxWidth, 2);
  if (block != std::vector<int>{128, 128}) quantization.fail("weight_block_size", "[128, 128]");
}

Json load_json(const std::filesystem::path& path) {
  const std::string text = read_file(path, ErrorKind::kModel, "model_config", kMaxConfigBytes);
  try {
    return parse_json(text, path.string(), ErrorKind::kModel, "model_config", {.reject_duplicate_keys = true});
  } catch (const Error& e) {
    throw Error(ErrorKind::kModel, "model_config", e.what());
  }
}

}  // namespace

bool TextConfig::layer_is_moe(int layer) const {
  if (!moe) return false;
  const auto& dense = moe->mlp_only_layers;
  return std::find(dense.begin(), dense.end(), layer) == dense.end() && (layer + 1) % moe->decoder_sparse_step == 0;
}

ModelConfig parse_model_config(const Json& json, const std::string& file) {
  const ConfigReader root(json, file);
  ModelConfig config;
  config.model_type = root.word_of("model_type", {"qwen3_vl", "qwen3_vl_moe"}, "");
  check_quantization(root);
  const ConfigReader text = root.object("text_config");
  config.text = parse_text(text, config.model_type == "qwen3_vl_moe");
  config.text.tie_word_embeddings =
      (root.has("tie_word_embeddings") ? root : text).boolean("tie_word_embeddings", false);
  config.vision = parse_vision(root.object("vision_config"), config.text);
  const int last_id = config.text.vocab_size - 1;
  config.image_token_id = root.integer("image_token_id", 0, last_id);
  config.video_token_id = root.integer("video_token_id", 0, last_id);
  config.vision_start_token_id = root.integer("vision_start_token_id", 0, last_id);
  config.vision_end_token_id = root.integer("vision_end_token_id", 0, last_id);
  if (std::set<int>{config.image_token_id, config.video_token_id, config.vision_start_token_id,
                    config.vision_end_token_id}
          .size() != 4) {
    root.fail("image_token_id", "four different ids for image, video, vision start and vision end");
  }
  config.eos_token_id =
      (text.has("eos_token_id") ? text : root).integer_or_list("eos_token_id", 0, last_id, kMaxStopIds);
  return config;
}

ModelConfig load_model_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  return parse_model_config(load_json(path), path.string());
}

GenerationConfig load_generation_config(const std::filesystem::path& folder, const ModelConfig& config) {
  GenerationConfig out;
  out.eos_token_id = config.eos_token_id;
  const std::filesystem::path path = folder / "generation_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    const Json json = load_json(path);
    const ConfigReader reader(json, path.string());
    const int last_id = config.text.vocab_size - 1;
    if (reader.has("eos_token_id")) out.eos_token_id = reader.integer_or_list("eos_token_id", 0, last_id, kMaxStopIds);
    out.temperature = reader.optional_number("temperature", 0, 100);
    out.top_p = reader.optional_number("top_p", 0, 1);
    out.min_p = reader.optional_number("min_p", 0, 1);
    out.repetition_penalty = reader.optional_number("repetition_penalty", 0.01, 100);
    out.presence_penalty = reader.optional_number("presence_penalty", -2, 2);
    if (reader.has("top_k")) out.top_k = reader.integer("top_k", 0, std::numeric_limits<int>::max());
    out.do_sample = reader.boolean("do_sample", true);
  }
  if (out.eos_token_id.empty()) {
    log_warn(
        "{}: neither generation_config.json nor config.json names an eos_token_id: answers end only at their length "
        "limit",
        folder.string());
  }
  return out;
}

}  // namespace qvl
