// The checkpoints of tests/data/golden on any backend, and made prompts for them: random text and random patches.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "model/model.h"
#include "model/rope_positions.h"
#include "ops/ref_ops.h"
#include "weights/weight_store.h"

namespace qvl {

inline std::filesystem::path tiny_folder(const std::string& name) {
  return std::filesystem::path(QVL_SOURCE_DIR) / "tests/data/golden/checkpoints" / name;
}

struct TinyCheckpoint {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
};

inline TinyCheckpoint load_tiny(const std::string& name, std::unique_ptr<Backend> backend) {
  TinyCheckpoint out;
  const auto config = load_model_config(tiny_folder(name));
  const auto store = open_safetensors(tiny_folder(name));
  out.backend = std::move(backend);
  out.model = std::make_unique<Model>(*out.backend, *store, config);
  return out;
}

inline TinyCheckpoint load_tiny(const std::string& name, Precision precision = Precision::kFloat32, int threads = 2) {
  return load_tiny(name, make_cpu_backend({.threads = threads, .precision = precision, .instruction_set = ""}));
}

struct MadeVisual {
  Grid grid;
  std::vector<float> patches;
  std::vector<int64_t> begins;  // of each temporal group's run of tokens
};

struct MadePrompt {
  std::vector<int32_t> ids, positions;
  int32_t rope_delta = 0;
  std::vector<MadeVisual> visuals;
  int64_t size() const { return static_cast<int64_t>(ids.size()); }
};

class PromptMaker {
 public:
  PromptMaker(const ModelConfig& config, uint64_t seed) : config_(config), rng_(seed) {}

  PromptMaker& text(int tokens) {
    for (int i = 0; i < tokens; ++i) prompt_.ids.push_back(static_cast<int32_t>(rng_() % 2048));
    return *this;
  }

  PromptMaker& visual(const Grid& grid, std::vector<float> patches = {}) {
    std::normal_distribution<float> normal;
    MadeVisual made{grid, std::move(patches), {}};
    if (made.patches.empty()) {
      made.patches.resize(static_cast<size_t>(grid.patches() * config_.vision.patch_dim()));
      for (float& x : made.patches) x = 0.5f * normal(rng_);
    }
    for (int group = 0; group < grid.t; ++group) {
      if (grid.t > 1) text(2);  // the time
      prompt_.ids.push_back(config_.vision_start_token_id);
      made.begins.push_back(prompt_.size());
      runs_.push_back({prompt_.size(), grid.h / 2, grid.w / 2});
      const int pad = grid.t > 1 ? config_.video_token_id : config_.image_token_id;
      prompt_.ids.insert(prompt_.ids.end(), static_cast<size_t>(grid.h / 2 * (grid.w / 2)), pad);
      prompt_.ids.push_back(config_.vision_end_token_id);
    }
    prompt_.visuals.push_back(std::move(made));
    return *this;
  }

  MadePrompt done() {
    auto positions = rope_positions(prompt_.size(), runs_);
    prompt_.positions = std::move(positions.ids);
    prompt_.rope_delta = positions.rope_delta;
    return prompt_;
  }

 private:
  const ModelConfig& config_;
  std::mt19937_64 rng_;
  MadePrompt prompt_;
  std::vector<VisualRun> runs_;
};

}  // namespace qvl
