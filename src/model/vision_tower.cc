#include "model/vision_tower.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/check.h"

namespace qvl {
namespace {

constexpr float kLayerNormEps = 1e-6f;   // fixed in the reference's code, as is theta
constexpr double kRopeTheta = 10000;
constexpr int64_t kPieceRows = 1024;  // patches at a time; a whole number of merge blocks

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

VisionTower::VisionTower(WeightLoader& weights, const VisionConfig& config)
    : config_(config), ops_(weights.backend().ops()),
      attention_format_(weights.format("model.visual.blocks.0.attn.qkv.weight") == WeightFormat::kPlain ? KvFormat::kPlain : KvFormat::kInt8) {
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
  const int64_t d = tower.config_.hidden_size, patches_count = grid.patches();
  features_.tokens = patches_count / tower.config_.merge_unit();
  x_.grow(patches_count * d);
  qkv_.grow(patches_count * 3 * d);
  attention_.grow(patches_count * d);
  positions_ = tower.position_embedding(grid.h, grid.w);
  // Angles: the row's frequencies, then the column's (spec 5.3), the same for every frame.
  const int quarter = tower.config_.hidden_size / tower.config_.num_heads / 4;
  std::vector<float> cosines, sines;
  for (int position = 0; position < std::max(grid.h, grid.w); ++position) {
    for (int k = 0; k < quarter; ++k) {
      const auto theta = static_cast<float>(1.0 / std::pow(kRopeTheta, static_cast<double>(k) / quarter));
      const float angle = static_cast<float>(position) * theta;
      cosines.push_back(std::cos(angle));
      sines.push_back(std::sin(angle));
    }
  }
  const auto append = [&](const std::vector<float>& from, int position, std::vector<float>& to) {
    to.insert(to.end(), from.begin() + position * quarter, from.begin() + (position + 1) * quarter);
  };
  const auto order = patch_order(grid.h, grid.w, merge);
  for (int frame = 0; frame < grid.t; ++frame) {
    for (const auto& [row, column] : order) {
      append(cosines, row, cos_), append(cosines, column, cos_);
      append(sines, row, sin_), append(sines, column, sin_);
    }
  }
}

void VisionTower::Run::enter(Stage stage) {
  stage_ = stage;
  next_ = 0;
}

void VisionTower::Run::step(double attention_macs) {
  const int64_t patches = grid_.patches(), rows = std::min(kPieceRows, patches - next_), first = next_;
  const auto block = [&]() -> const Block& { return tower_.blocks_[at(blocks_ - 1)]; };
  const auto last = [&] { return (next_ += rows) == patches; };
  switch (stage_) {
    case Stage::kEmbed:
      tower_.embed(*this, first, rows);
      if (last()) end_block();
      break;
    case Stage::kQkv:
      tower_.qkv(*this, block(), first, rows);
      if (last()) enter(Stage::kAttention);
      break;
    case Stage::kAttention:
      if (attend(attention_macs)) enter(Stage::kMlp);
      break;
    case Stage::kMlp:
      tower_.mlp(*this, block(), first, rows);
      if (last()) end_block();
      break;
    case Stage::kMerge: {
      const int unit = tower_.config_.merge_unit(), which = merges_.front();
      const int64_t width = tower_.config_.out_hidden_size;
      auto& out = which < 0 ? features_.embeds : features_.deepstack[at(which)];
      out.resize(at(features_.tokens * width));
      tower_.merge(which < 0 ? *tower_.merger_ : tower_.deepstack_mergers_[at(which)], x_.data() + first * tower_.config_.hidden_size,
                   rows, out.data() + first / unit * width);
      if (!last()) break;
      merges_.erase(merges_.begin());
      enter(merges_.empty() ? (which < 0 ? Stage::kDone : Stage::kQkv) : Stage::kMerge);
      break;
    }
    case Stage::kDone:
      break;
  }
}

// After the patch embedding and after each block: what is tapped there goes through its merger next.
void VisionTower::Run::end_block() {
  const int index = blocks_++ - 1;
  const auto& taps = tower_.config_.deepstack_visual_indexes;
  features_.deepstack.resize(taps.size());
  for (size_t j = 0; j < taps.size(); ++j) {
    if (taps[j] == index) merges_.push_back(static_cast<int>(j));
  }
  if (blocks_ > tower_.config_.depth) merges_.push_back(-1);
  enter(merges_.empty() ? Stage::kQkv : Stage::kMerge);
}

// True: all heads of all groups are done.
bool VisionTower::Run::attend(double most_macs) {
  const int heads = tower_.config_.num_heads;
  const double rows = static_cast<double>(grid_.h) * grid_.w, head_macs = rows * rows * 2 * tower_.config_.hidden_size / heads;
  const auto most_heads = static_cast<int64_t>(std::clamp(most_macs / head_macs, 1.0, static_cast<double>(heads) * grid_.t));
  const int64_t group = next_ / heads, head = next_ % heads;
  int64_t groups = 1, count = std::min(most_heads, heads - head);
  if (head == 0 && most_heads >= heads) groups = std::min(most_heads / heads, grid_.t - group), count = heads;
  tower_.attend(*this, group, groups, static_cast<int>(head), static_cast<int>(count));
  next_ += groups * count;
  return next_ == int64_t{heads} * grid_.t;
}

void VisionTower::embed(Run& run, int64_t first, int64_t rows) {
  const int64_t d = config_.hidden_size, frame = int64_t{run.grid_.h} * run.grid_.w;
  float* const x = run.x_.data();
  ops_.linear(*patch_embed_, run.patches_.data() + first * config_.patch_dim(), rows, x + first * d);
  for (int64_t row = first; row < first + rows;) {
    const int64_t place = row % frame, count = std::min(frame - place, first + rows - row);
    ops_.add(run.positions_.data() + place * d, count * d, x + row * d);
    row += count;
  }
}

void VisionTower::qkv(Run& run, const Block& block, int64_t first, int64_t rows) {
  const int64_t d = config_.hidden_size;
  const int heads = config_.num_heads, dim = config_.hidden_size / heads;
  norm_.grow(rows * d);
  ops_.layer_norm(run.x_.data() + first * d, rows, d, block.norm1_weight.data(), block.norm1_bias.data(), kLayerNormEps, norm_.data());
  float* const out = run.qkv_.data() + first * 3 * d;
  ops_.linear(*block.qkv, norm_.data(), rows, out);
  const int64_t angles = first * dim / 2;
  for (int part = 0; part < 2; ++part) {  // Q, K
    ops_.norm_rope(out + part * d, rows, 3 * d, heads, dim, nullptr, 0, run.cos_.data() + angles, run.sin_.data() + angles);
  }
}

// Attention never leaves one temporal group of one picture or video, nor a head.
void VisionTower::attend(Run& run, int64_t first_group, int64_t groups, int first_head, int heads) {
  const int64_t d = config_.hidden_size, group_rows = int64_t{run.grid_.h} * run.grid_.w;
  const int64_t first = first_group * group_rows, rows = groups * group_rows;
  const int dim = config_.hidden_size / config_.num_heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  const float* const qkv = run.qkv_.data() + first * 3 * d;
  float* const out = run.attention_.data() + first * d;
  if (heads == config_.num_heads) {
    ops_.segment_attention(qkv, rows, group_rows, heads, dim, scale, attention_format_, out);
    return;
  }
  // The heads by themselves are what the op takes for all heads of a narrower tower.
  const int64_t width = int64_t{heads} * dim;
  heads_.grow(rows * 4 * width);
  float* const narrow_out = heads_.data() + rows * 3 * width;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t part = 0; part < 3; ++part) {
      std::copy_n(qkv + r * 3 * d + part * d + first_head * dim, width, heads_.data() + (r * 3 + part) * width);
    }
  }
  ops_.segment_attention(heads_.data(), rows, group_rows, heads, dim, scale, attention_format_, narrow_out);
  for (int64_t r = 0; r < rows; ++r) std::copy_n(narrow_out + r * width, width, out + r * d + first_head * dim);
}

void VisionTower::mlp(Run& run, const Block& block, int64_t first, int64_t rows) {
  const int64_t d = config_.hidden_size;
  float* const x = run.x_.data() + first * d;
  norm_.grow(rows * d);
  wide_.grow(rows * config_.intermediate_size);
  ops_.linear_add(*block.proj, run.attention_.data() + first * d, rows, x);
  ops_.layer_norm(x, rows, d, block.norm2_weight.data(), block.norm2_bias.data(), kLayerNormEps, norm_.data());
  ops_.linear(*block.fc1, norm_.data(), rows, wide_.data(), Activation::kGeluTanh);
  ops_.linear_add(*block.fc2, wide_.data(), rows, x);
}

// Four patches of a merge block are neighbours in memory, so joining them is a change of shape. The main merger normalises
// each patch, DeepStack's the four joined: the width of the norm's weight tells.
void VisionTower::merge(const Merger& merger, const float* x, int64_t rows, float* out) {
  const auto norm_width = static_cast<int64_t>(merger.norm_weight.size()), floats = rows * config_.hidden_size;
  const int64_t tokens = rows / config_.merge_unit();
  norm_.grow(floats);
  wide_.grow(floats);
  ops_.layer_norm(x, floats / norm_width, norm_width, merger.norm_weight.data(), merger.norm_bias.data(), kLayerNormEps, norm_.data());
  ops_.linear(*merger.fc1, norm_.data(), tokens, wide_.data(), Activation::kGeluErf);
  ops_.linear(*merger.fc2, wide_.data(), tokens, out);
}

VisionFeatures VisionTower::forward(const Grid& grid, std::span<const float> patches, const VisionTrace& trace) {
  Run run(*this, grid, patches);
  for (int told = 0; !run.done();) {
    run.step();
    if (run.blocks() == told) continue;
    if (trace) trace(told, run.hidden(), grid.patches());
    ++told;
  }
  return run.take();
}

}  // namespace qvl
