#include "model/vision_tower.h"

#include <cmath>
#include <functional>

#include "base/check.h"

namespace qvl {
namespace {

constexpr float kLayerNormEps = 1e-6f;   // fixed in the reference's code, as is theta
constexpr double kRopeTheta = 10000;
constexpr int64_t kMlpRows = 1024;  // patches of the MLP at a time: its inner rows are the widest of all

size_t at(int64_t i) { return static_cast<size_t>(i); }

std::unique_ptr<Linear> linear(WeightLoader& weights, const std::string& name, int64_t out, int64_t in) {
  return weights.linear(name + ".weight", out, in, name + ".bias");
}

}  // namespace

struct VisionTower::Block {
  std::vector<float> norm1_weight, norm1_bias, norm2_weight, norm2_bias;
  std::unique_ptr<Linear> qkv, proj, fc1, fc2;
};

struct VisionTower::Merger {
  std::vector<float> norm_weight, norm_bias;  // the main merger's: [hidden]; DeepStack's: [4 * hidden]
  std::unique_ptr<Linear> fc1, fc2;
};

size_t VisionFeatures::bytes() const {
  size_t floats = embeds.size();
  for (const auto& d : deepstack) floats += d.size();
  return floats * sizeof(float);
}

PositionAxis position_axis(int side, int n) {
  PositionAxis axis;
  const float last = static_cast<float>(side - 1);
  const float step = n > 1 ? last / static_cast<float>(n - 1) : 0;
  for (int i = 0; i < n; ++i) {
    // float32 linspace counts from the nearer end; of one value it is the first.
    const float u = i == 0 || i < n / 2 ? step * static_cast<float>(i) : last - step * static_cast<float>(n - 1 - i);
    const int low = static_cast<int>(u);
    axis.low.push_back(low);
    axis.high.push_back(std::min(low + 1, side - 1));
    axis.fraction.push_back(u - static_cast<float>(low));
  }
  return axis;
}

std::vector<std::array<int, 2>> patch_order(int h, int w, int merge) {
  std::vector<std::array<int, 2>> order;
  for (int block_row = 0; block_row < h; block_row += merge) {
    for (int block_column = 0; block_column < w; block_column += merge) {
      for (int r = 0; r < merge; ++r) {
        for (int c = 0; c < merge; ++c) order.push_back({block_row + r, block_column + c});
      }
    }
  }
  return order;
}

VisionTower::VisionTower(WeightLoader& weights, const VisionConfig& config) : config_(config), ops_(weights.backend().ops()) {
  const std::string root = "model.visual.";
  const int64_t d = config.hidden_size, wide = d * config.merge_unit();
  // The kernel's memory order is the patches' column order (spec 5.1): a plain matrix.
  const std::string kernel = root + "patch_embed.proj.";
  patch_embed_ = weights.stacked({kernel + "weight"}, {d}, config.patch_dim(), kernel + "bias",
                                 {d, config.in_channels, config.temporal_patch_size, config.patch_size, config.patch_size});
  position_table_ = weights.floats(root + "pos_embed.weight", {config.num_position_embeddings, d});
  for (int b = 0; b < config.depth; ++b) {
    const std::string block = root + "blocks." + std::to_string(b) + ".";
    blocks_.push_back({
        .norm1_weight = weights.floats(block + "norm1.weight", {d}),
        .norm1_bias = weights.floats(block + "norm1.bias", {d}),
        .norm2_weight = weights.floats(block + "norm2.weight", {d}),
        .norm2_bias = weights.floats(block + "norm2.bias", {d}),
        .qkv = linear(weights, block + "attn.qkv", 3 * d, d),
        .proj = linear(weights, block + "attn.proj", d, d),
        .fc1 = linear(weights, block + "mlp.linear_fc1", config.intermediate_size, d),
        .fc2 = linear(weights, block + "mlp.linear_fc2", d, config.intermediate_size),
    });
  }
  const auto take_merger = [&](const std::string& name, int64_t norm_width) {
    return Merger{.norm_weight = weights.floats(name + "norm.weight", {norm_width}),
                  .norm_bias = weights.floats(name + "norm.bias", {norm_width}),
                  .fc1 = linear(weights, name + "linear_fc1", wide, wide),
                  .fc2 = linear(weights, name + "linear_fc2", config.out_hidden_size, wide)};
  };
  merger_ = std::make_unique<Merger>(take_merger(root + "merger.", d));
  for (size_t j = 0; j < config.deepstack_visual_indexes.size(); ++j) {
    deepstack_mergers_.push_back(take_merger(root + "deepstack_merger_list." + std::to_string(j) + ".", wide));
  }
}

VisionTower::~VisionTower() = default;

size_t VisionTower::weight_bytes() const {
  size_t bytes = patch_embed_->packed_bytes();
  const auto add = [&](const Linear& w) { bytes += w.packed_bytes(); };
  for (const Block& b : blocks_) add(*b.qkv), add(*b.proj), add(*b.fc1), add(*b.fc2);
  for (const Merger& m : deepstack_mergers_) add(*m.fc1), add(*m.fc2);
  add(*merger_->fc1), add(*merger_->fc2);
  return bytes;
}

std::vector<float> VisionTower::position_embedding(int h, int w) const {
  const int side = static_cast<int>(std::lround(std::sqrt(config_.num_position_embeddings)));
  const PositionAxis rows = position_axis(side, h), columns = position_axis(side, w);
  const auto width = at(config_.hidden_size);
  std::vector<float> out(at(h) * at(w) * width);
  float* to = out.data();
  for (const auto& [r, c] : patch_order(h, w, config_.spatial_merge_size)) {
    const size_t row = at(r), column = at(c);
    const float dr = rows.fraction[row], dc = columns.fraction[column];
    const float weight[4] = {(1 - dr) * (1 - dc), (1 - dr) * dc, dr * (1 - dc), dr * dc};
    const float* const table[4] = {
        &position_table_[at(rows.low[row] * side + columns.low[column]) * width],
        &position_table_[at(rows.low[row] * side + columns.high[column]) * width],
        &position_table_[at(rows.high[row] * side + columns.low[column]) * width],
        &position_table_[at(rows.high[row] * side + columns.high[column]) * width]};
    for (size_t i = 0; i < width; ++i) {
      *to++ = weight[0] * table[0][i] + weight[1] * table[1][i] + weight[2] * table[2][i] + weight[3] * table[3][i];
    }
  }
  return out;
}

VisionTower::Run::Run(VisionTower& tower, const Grid& grid, std::span<const float> patches)
    : tower_(tower), grid_(grid), patches_(patches) {
  const int merge = tower.config_.spatial_merge_size;
  QVL_CHECK(grid.t > 0 && grid.h > 0 && grid.w > 0 && grid.h % merge == 0 && grid.w % merge == 0, "grid {}x{}x{}", grid.t,
            grid.h, grid.w);
  QVL_CHECK(static_cast<int64_t>(patches.size()) == grid.patches() * tower.config_.patch_dim(), "{} patch values",
            patches.size());
  features_.tokens = grid.patches() / tower.config_.merge_unit();
  // Angles: the row's frequencies, then the column's (spec 5.3), the same for every frame.
  const int quarter = tower.config_.hidden_size / tower.config_.num_heads / 4;
  for (int frame = 0; frame < grid.t; ++frame) {
    for (const auto& [row, column] : patch_order(grid.h, grid.w, merge)) {
      for (const int position : {row, column}) {
        for (int k = 0; k < quarter; ++k) {
          const auto theta = static_cast<float>(1.0 / std::pow(kRopeTheta, static_cast<double>(k) / quarter));
          const float angle = static_cast<float>(position) * theta;
          cos_.push_back(std::cos(angle));
          sin_.push_back(std::sin(angle));
        }
      }
    }
  }
}

void VisionTower::Run::step() {
  if (next_block_ == 0) {
    tower_.embed(*this);
    ++next_block_;
    return;
  }
  const int index = next_block_ - 1;
  tower_.block(*this, tower_.blocks_[at(index)]);
  const auto& taps = tower_.config_.deepstack_visual_indexes;
  for (size_t j = 0; j < taps.size(); ++j) {
    if (taps[j] == index) features_.deepstack.push_back(tower_.merge(tower_.deepstack_mergers_[j], x_, grid_.patches()));
  }
  if (++next_block_ > tower_.config_.depth) features_.embeds = tower_.merge(*tower_.merger_, x_, grid_.patches());
}

void VisionTower::embed(Run& run) {
  const int64_t patches = run.grid_.patches(), frame = int64_t{run.grid_.h} * run.grid_.w * config_.hidden_size;
  run.x_.resize(at(patches * config_.hidden_size));
  ops_.linear(*patch_embed_, run.patches_.data(), patches, run.x_.data());
  const auto positions = position_embedding(run.grid_.h, run.grid_.w);
  for (int t = 0; t < run.grid_.t; ++t) ops_.add(positions.data(), frame, run.x_.data() + t * frame);
}

void VisionTower::block(Run& run, const Block& block) {
  const int64_t patches = run.grid_.patches(), d = config_.hidden_size;
  const int heads = config_.num_heads, dim = config_.hidden_size / heads;
  float* const x = run.x_.data();
  norm_.resize(at(patches * d));
  attention_.resize(at(patches * d));
  wide_.resize(at(std::max(patches * 3 * d, std::min(patches, kMlpRows) * config_.intermediate_size)));

  ops_.layer_norm(x, patches, d, block.norm1_weight.data(), block.norm1_bias.data(), kLayerNormEps, norm_.data());
  ops_.linear(*block.qkv, norm_.data(), patches, wide_.data());
  for (int part = 0; part < 2; ++part) {  // Q, K
    ops_.norm_rope(wide_.data() + part * d, patches, 3 * d, heads, dim, nullptr, 0, run.cos_.data(), run.sin_.data());
  }
  // Attention never leaves one temporal group of one picture or video.
  ops_.segment_attention(wide_.data(), patches, int64_t{run.grid_.h} * run.grid_.w, heads, dim,
                         1.0f / std::sqrt(static_cast<float>(dim)), attention_.data());
  ops_.linear_add(*block.proj, attention_.data(), patches, x);

  for (int64_t first = 0; first < patches; first += kMlpRows) {
    const int64_t rows = std::min(kMlpRows, patches - first);
    ops_.layer_norm(x + first * d, rows, d, block.norm2_weight.data(), block.norm2_bias.data(), kLayerNormEps, norm_.data());
    ops_.linear(*block.fc1, norm_.data(), rows, wide_.data(), Activation::kGeluTanh);
    ops_.linear_add(*block.fc2, wide_.data(), rows, x + first * d);
  }
}

// Four patches of a merge block are neighbours in memory, so joining them is a change of shape. The main merger normalises
// each patch, DeepStack's the four joined: the width of the norm's weight tells.
std::vector<float> VisionTower::merge(const Merger& merger, const std::vector<float>& x, int64_t patches) {
  const auto norm_width = static_cast<int64_t>(merger.norm_weight.size());
  const int64_t rows = static_cast<int64_t>(x.size()) / norm_width, tokens = patches / config_.merge_unit();
  std::vector<float> normed(x.size()), inner(x.size()), out(at(tokens * config_.out_hidden_size));
  ops_.layer_norm(x.data(), rows, norm_width, merger.norm_weight.data(), merger.norm_bias.data(), kLayerNormEps, normed.data());
  ops_.linear(*merger.fc1, normed.data(), tokens, inner.data(), Activation::kGeluErf);
  ops_.linear(*merger.fc2, inner.data(), tokens, out.data());
  return out;
}

VisionFeatures VisionTower::forward(const Grid& grid, std::span<const float> patches, const VisionTrace& trace) {
  Run run(*this, grid, patches);
  for (int block = 0; !run.done(); ++block) {
    run.step();
    if (trace) trace(block, run.hidden().data(), grid.patches());
  }
  return run.take();
}

}  // namespace qvl
