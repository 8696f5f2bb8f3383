#include "engine/model_runner.h"

#include <algorithm>

namespace qvl {

ModelRunner::ModelRunner(Model& model, int pages, size_t image_cache_bytes)
    : model_(model), kv_(model.language.make_kv_cache(pages)), image_cache_(image_cache_bytes) {}

void ModelRunner::encode_slice(Sequence& s) {
  const auto start = Clock::now();
  const PromptVisual& visual = s.prompt.visuals[s.features.size()];
  if (!s.vision_run) {
    if (auto known = image_cache_.find(visual.content_hash)) {
      s.features.push_back(std::move(known));
      ++s.stats.images_cached;
      return;
    }
    s.vision_run = std::make_unique<VisionTower::Run>(model_.vision, visual.grid, *visual.patches);
  }
  s.vision_run->step();
  if (s.vision_run->done()) {
    auto features = std::make_shared<const VisionFeatures>(s.vision_run->take());
    s.vision_run.reset();
    image_cache_.insert(visual.content_hash, features);
    s.features.push_back(std::move(features));
  }
  s.stats.vision_ms += ms_between(start, Clock::now());
}

std::span<const float> ModelRunner::forward(const StepPlan& plan, const std::function<bool()>& stop) {
  Batch batch;
  int64_t rows = 0;
  for (const auto& part : plan.parts) rows += part.rows();
  batch.positions.resize(static_cast<size_t>(3 * rows));
  for (const auto& part : plan.parts) append(batch, part);
  return model_.language.forward(batch, *kv_, stop);
}

void ModelRunner::append(Batch& batch, const StepPlan::Part& part) const {
  const Sequence& s = *part.sequence;
  const int64_t known = s.computed + part.tokens;  // guesses come after
  const int64_t begin = s.computed, end = begin + part.rows(), first_row = batch.rows(), prompt = s.prompt_tokens();
  const auto rows = static_cast<int64_t>(batch.positions.size() / 3);
  const auto guesses = part.guess.ids.begin();
  batch.token_ids.insert(batch.token_ids.end(), s.tokens.begin() + begin, s.tokens.begin() + known);
  batch.token_ids.insert(batch.token_ids.end(), guesses, guesses + (end - known));
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t position = i < prompt ? s.prompt.positions[static_cast<size_t>(axis * prompt + i)] : i + s.prompt.rope_delta;
      batch.positions[static_cast<size_t>(axis * rows + first_row + i - begin)] = static_cast<int32_t>(position);
    }
  }
  batch.sequences.push_back({.row_begin = first_row, .rows = part.rows(), .past = begin, .pages = s.pages});
  append_visuals(batch, s, begin, end, first_row);
  if (known < s.total_tokens()) return;
  for (int64_t i = known - 1; i < end; ++i) batch.logit_rows.push_back(first_row + i - begin);
}

// The parts of visual runs that fall inside tokens begin..end-1: a chunk may cut a picture anywhere.
void ModelRunner::append_visuals(Batch& batch, const Sequence& s, int64_t begin, int64_t end, int64_t first_row) const {
  for (size_t v = 0; v < s.prompt.visuals.size(); ++v) {
    const PromptVisual& visual = s.prompt.visuals[v];
    const int64_t run_tokens = s.features[v]->tokens / visual.grid.t;
    for (size_t group = 0; group < visual.token_begins.size(); ++group) {
      const int64_t run = visual.token_begins[group];
      const int64_t from = std::max(begin, run), to = std::min(end, run + run_tokens);
      if (from >= to) continue;
      batch.visuals.push_back({.row_begin = first_row + from - begin, .rows = to - from, .features = s.features[v].get(),
                               .first_token = static_cast<int64_t>(group) * run_tokens + from - run});
    }
  }
}

}  // namespace qvl
