// Patches -> image embeddings and DeepStack features (spec 5). Written on ops/; knows no device. One thread.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "media/preprocess.h"
#include "model/config.h"
#include "ops/ops.h"
#include "model/weight_loader.h"

namespace qvl {

// What the language model needs of one picture or video.
struct VisionFeatures {
  int64_t tokens = 0;                         // grid.patches() / merge_unit
  std::vector<float> embeds;                  // [tokens, out_hidden_size]
  std::vector<std::vector<float>> deepstack;  // one [tokens, out_hidden_size] for each of deepstack_visual_indexes
  double encode_ms = 0;                       // what making them took, for whoever keeps them
  size_t bytes() const;
};

// Called with the input of block 0 and then every block's output, [patches, hidden_size]; for tracing.
using VisionTrace = std::function<void(int block, const float* x, int64_t patches)>;

class VisionTower {
 public:
  // Takes the tensors "model.visual...." from the store.
  VisionTower(WeightLoader& weights, const VisionConfig& config);
  ~VisionTower();

  // One run over one picture or video, a piece at a time, so that other work and cancellation come between. The pieces'
  // sizes change nothing in the features.
  class Run {
   public:
    Run(VisionTower& tower, const Grid& grid, std::span<const float> patches);  // [grid.patches(), patch_dim]
    bool done() const { return stage_ == Stage::kDone; }
    // The next piece: some rows of a product, or some heads of attention. attention_macs: the most multiplications of the
    // latter, but one head of one temporal group at least.
    void step(double attention_macs = 1e18);
    int blocks() const { return blocks_; }  // done, the patch embedding included
    VisionFeatures take() { return std::move(features_); }
    const float* hidden() const { return x_.data(); }

   private:
    friend class VisionTower;
    enum class Stage { kEmbed, kQkv, kAttention, kMlp, kMerge, kDone };
    void enter(Stage stage);
    void end_block();
    bool attend(double most_macs);

    VisionTower& tower_;
    Grid grid_;
    std::span<const float> patches_;
    Stage stage_ = Stage::kEmbed;
    int64_t next_ = 0;  // of the stage: the first row, or head of head-major (group, head), that is missing
    int blocks_ = 0;
    std::vector<int> merges_;  // that follow the block at hand: of deepstack_mergers_, -1 for the main one
    std::vector<float> positions_, cos_, sin_;
    Scratch x_, qkv_, attention_;
    VisionFeatures features_;
  };

  VisionFeatures forward(const Grid& grid, std::span<const float> patches, const VisionTrace& trace = {});
  const VisionConfig& config() const { return config_; }
  size_t weight_bytes() const;  // packed, of all matrices

  // The learned position embedding of a grid in merge-block order, [h * w, hidden_size] (spec 5.2).
  std::vector<float> position_embedding(int h, int w) const;

 private:
  struct Block;
  struct Merger;

  void embed(Run& run, int64_t first, int64_t rows);
  void qkv(Run& run, const Block& block, int64_t first, int64_t rows);
  void attend(Run& run, int64_t first_group, int64_t groups, int first_head, int heads);
  void mlp(Run& run, const Block& block, int64_t first, int64_t rows);
  void merge(const Merger& merger, const float* x, int64_t rows, float* out);

  VisionConfig config_;
  Ops& ops_;
  KvFormat attention_format_;  // eight bits where the products round to them too
  std::unique_ptr<Linear> patch_embed_;
  std::vector<float> position_table_;  // [side * side, hidden_size]
  std::vector<Block> blocks_;
  std::unique_ptr<Merger> merger_;
  std::vector<Merger> deepstack_mergers_;
  Scratch norm_, wide_, heads_;  // of one piece
};

// Bilinear source indices and weights of one axis: linspace(0, side - 1, n), corners aligned.
struct PositionAxis {
  std::vector<int> low, high;
  std::vector<float> fraction;
};
PositionAxis position_axis(int side, int n);

// (row, column) of every patch of one frame in merge-block order.
std::vector<std::array<int, 2>> patch_order(int h, int w, int merge);

}  // namespace qvl
