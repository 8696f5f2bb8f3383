// The Qwen3 decoder, dense or mixture of experts, with interleaved MRoPE and DeepStack (spec 6). Written on ops/. One thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/vision_tower.h"
#include "ops/ops.h"
#include "model/weight_loader.h"

namespace qvl {

// Visual rows of a batch: rows row_begin..row_begin+rows-1 stand for tokens first_token.. of one picture's or video's features.
struct VisualRows {
  int64_t row_begin = 0, rows = 0;
  const VisionFeatures* features = nullptr;
  int64_t first_token = 0;
};

// Rows of one forward pass; rows of one sequence are neighbours.
struct Batch {
  std::vector<int32_t> token_ids;        // [rows]
  std::vector<int32_t> positions;        // [3, rows]: t, h, w
  std::vector<SequenceRows> sequences;   // cover all rows, ascending
  std::vector<VisualRows> visuals;
  std::vector<int64_t> logit_rows;       // rows whose logits are wanted
  std::vector<BestOf> best;              // which of them, for each of these rows; empty: all

  int64_t rows() const { return static_cast<int64_t>(token_ids.size()); }
};

// For tracing: values of a pass as they come. Pointers are valid during the call.
struct ForwardTrace {
  std::function<void(const float* embeds)> embeds;               // [rows, hidden]: input of layer 0
  std::function<void(int layer, const float* hidden)> hidden;    // [rows, hidden]: after the layer, DeepStack included
  std::function<void(const float* final_norm)> final_norm;       // [rows, hidden]: computes it for all rows
  // [rows, num_experts_per_tok]: the chosen experts, best first, and their normalised weights
  std::function<void(int layer, const int32_t* indices, const float* weights)> router;
};

// cos and sin of a batch, [rows, head_dim / 2], by the interleaved rule (spec 6.3) with YaRN where it is configured.
class MropeTable {
 public:
  explicit MropeTable(const TextConfig& config);
  // positions: [3, rows]; adds to cos and sin
  void fill(std::span<const int32_t> positions, std::vector<float>& cos, std::vector<float>& sin) const;
  const std::vector<float>& inverse_frequencies() const { return inv_freq_; }
  const std::vector<int>& axes() const { return axis_; }
  float attention_factor() const { return attention_factor_; }

 private:
  std::vector<float> inv_freq_;  // [head_dim / 2]
  std::vector<int> axis_;        // 0 t, 1 h, 2 w
  float attention_factor_ = 1;   // multiplies cos and sin
};

// Packed bytes of the weights. A pass for few best tokens reads `every_pass`, and `expert` for each expert that a row of it chose in a layer.
struct WeightBytes {
  size_t total = 0, every_pass = 0, expert = 0;  // expert: 0 where the model has none
};

class LanguageModel {
 public:
  // Takes the tensors "model.language_model...." and "lm_head.weight" (a copy of the embedding is accepted where tied).
  LanguageModel(WeightLoader& weights, const TextConfig& config);
  ~LanguageModel();

  // Runs the batch against the cache, writes its keys and values and returns the logits of logit_rows,
  // [logit_rows.size(), vocab_size], as exact as `best` asks, valid until the next call. `stop` is asked between layers: true gives an empty span,
  // and the cache holds unfinished tokens that must be computed again.
  std::span<const float> forward(const Batch& batch, KvCache& cache, const std::function<bool()>& stop = {},
                                 const ForwardTrace* trace = nullptr);

  const TextConfig& config() const { return config_; }
  void set_kv_format(KvFormat format) { kv_format_ = format; }  // of caches made later
  std::unique_ptr<KvCache> make_kv_cache(int pages);
  size_t kv_page_bytes() const;
  WeightBytes weight_bytes() const;

 private:
  struct Layer;

  void attention(const Layer& layer, int index, const Batch& batch, KvCache& cache);
  void mlp(const Layer& layer, int index, int64_t rows, const ForwardTrace* trace);
  void scatter_visuals(const Batch& batch);
  void add_deepstack(const Batch& batch, int layer);
  const Linear& head() const { return lm_head_ != nullptr ? *lm_head_ : *embed_tokens_; }

  TextConfig config_;
  Backend& backend_;
  Ops& ops_;
  MropeTable mrope_;
  KvFormat kv_format_ = KvFormat::kPlain;
  std::unique_ptr<Linear> embed_tokens_, lm_head_;  // lm_head_ is null where tied
  std::vector<float> norm_;
  std::vector<Layer> layers_;
  // Scratch of one pass, grown to the largest batch seen.
  std::vector<float> cos_, sin_;
  Scratch x_, normed_, qkv_, wide_, inner_, router_, expert_weights_, logits_;
  std::vector<int32_t> expert_indices_;
};

// softmax over the experts, the per_token largest (ties: the lower index), divided by their sum; best first.
void choose_experts(const float* logits, int num_experts, int per_token, int32_t* indices, float* weights);

}  // namespace qvl
