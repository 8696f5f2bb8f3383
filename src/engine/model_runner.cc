#include "engine/model_runner.h"

#include <algorithm>

namespace qvl {

ModelRunner::ModelRunner(Model& model, int pages, ImageCache& image_cache)
    : model_(model), kv_(model.language.make_kv_cache(pages)), image_cache_(image_cache) {}

void ModelRunner::settle_visuals(Sequence& s) {
  for (; !s.vision_done() && s.vision_run == nullptr; ++s.next_visual) {
    const PromptVisual& visual = s.prompt.visuals[s.next_visual];
    SequenceVisual& state = s.visuals[s.next_visual];
    const bool needed = state.end > s.computed;
    auto known = image_cache_.find(visual.content_hash, visual.pinned);
    if (known == nullptr) known = state.features;
    if (needed && known == nullptr) return;
    if (!state.counted) {
      state.counted = true;
      ++counts_.hits;
      ++s.stats.images_cached;
      s.stats.vision_tokens += state.run_tokens * visual.grid.t;
      if (known != nullptr) s.stats.vision_saved_ms += known->encode_ms;
    }
    if (needed) state.features = std::move(known);
  }
}

bool ModelRunner::encode_slice(Sequence& s, double ms, bool fine) {
  constexpr double kFineMacs = 2e9, kMacs = 3e10;  // of attention: some milliseconds; a tenth of a second
  const auto start = Clock::now();
  const PromptVisual& visual = s.prompt.visuals[s.next_visual];
  if (!s.vision_run) s.vision_run = std::make_unique<VisionTower::Run>(model_.vision, visual.grid, *visual.patches);
  VisionTower::Run& run = *s.vision_run;
  do {
    run.step(fine ? kFineMacs : kMacs);
  } while (!run.done() && !s.stream->cancelled && ms_between(start, Clock::now()) < ms);
  const double took = ms_between(start, Clock::now());
  s.vision_run_ms += took;
  s.stats.vision_ms += took;
  if (!run.done()) return false;
  VisionFeatures made = run.take();
  made.encode_ms = s.vision_run_ms;
  const auto features = std::make_shared<const VisionFeatures>(std::move(made));
  s.vision_run.reset();
  s.vision_run_ms = 0;
  image_cache_.insert(visual.content_hash, features, visual.pinned);
  ++counts_.misses;
  SequenceVisual& state = s.visuals[s.next_visual];
  if (!state.counted) s.stats.vision_tokens += features->tokens;
  state.counted = true;
  state.features = features;
  ++s.next_visual;
  return true;
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
  const int64_t begin = s.computed, end = begin + part.rows(), first_row = batch.rows();
  const auto rows = static_cast<int64_t>(batch.positions.size() / 3);
  const auto guesses = part.guess.ids.begin();
  batch.token_ids.insert(batch.token_ids.end(), s.tokens.begin() + begin, s.tokens.begin() + known);
  batch.token_ids.insert(batch.token_ids.end(), guesses, guesses + (end - known));
  for (int64_t axis = 0; axis < 3; ++axis) {
    for (int64_t i = begin; i < end; ++i) {
      batch.positions[static_cast<size_t>(axis * rows + first_row + i - begin)] = s.position(axis, i);
    }
  }
  batch.sequences.push_back({.row_begin = first_row, .rows = part.rows(), .past = begin, .pages = s.pages});
  append_visuals(batch, s, begin, end, first_row);
  if (known < s.total_tokens()) return;
  for (int64_t i = known - 1; i < end; ++i) {
    batch.logit_rows.push_back(first_row + i - begin);
    batch.best.push_back(part.best);
  }
}

// The parts of visual runs that fall inside tokens begin..end-1: a chunk may cut a picture anywhere.
void ModelRunner::append_visuals(Batch& batch, const Sequence& s, int64_t begin, int64_t end, int64_t first_row) const {
  for (size_t v = 0; v < s.prompt.visuals.size(); ++v) {
    const PromptVisual& visual = s.prompt.visuals[v];
    const int64_t run_tokens = s.visuals[v].run_tokens;
    for (size_t group = 0; group < visual.token_begins.size(); ++group) {
      const int64_t run = visual.token_begins[group];
      const int64_t from = std::max(begin, run), to = std::min(end, run + run_tokens);
      if (from >= to) continue;
      batch.visuals.push_back({.row_begin = first_row + from - begin, .rows = to - from, .features = s.visuals[v].features.get(),
                               .first_token = static_cast<int64_t>(group) * run_tokens + from - run});
    }
  }
}

}  // namespace qvl
