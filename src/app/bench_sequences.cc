#include "app/bench_sequences.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "app/bench_memory.h"
#include "base/check.h"
#include "base/error.h"
#include "model/rope_positions.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

constexpr BestOf kBest = {.count = 20, .within = 0, .outputs = 0};  // the family's top_k

void check_room(size_t bytes, int batch, int64_t tokens) {
  const auto machine = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  const double left = machine - resident_bytes();
  if (static_cast<double>(bytes) <= left) return;
  throw_error(ErrorKind::kMemory, "memory_budget",
              "{} x {} tokens of context need {:.2f} GB of keys and values, {:.2f} GB of memory are left: use a smaller "
              "--depth, --batch or -p",
              batch, tokens, static_cast<double>(bytes) / 1e9, std::max(0.0, left) / 1e9);
}

}  // namespace

BenchSequences::BenchSequences(Backend& backend, Model& model, int batch, int64_t tokens, int64_t chunk)
    : backend_(backend), model_(model), batch_(batch), chunk_(chunk), weights_(model.language.weight_bytes()) {
  const int64_t pages = (tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
  const size_t bytes = at(pages) * at(batch) * model.language.kv_page_bytes();
  check_room(bytes, batch, tokens);
  cache_ = model.language.make_kv_cache(static_cast<int>(pages * batch));
  kv_token_bytes_ = static_cast<double>(model.language.kv_page_bytes()) / KvCache::kPageTokens;
  for (int s = 0; s < batch; ++s) {
    pages_.emplace_back(at(pages));
    std::iota(pages_.back().begin(), pages_.back().end(), static_cast<int32_t>(pages) * s);
  }
}

void BenchSequences::fill(int64_t tokens) {
  constexpr int64_t kBlock = 256;
  const TextConfig& text = model_.config.text;
  const int64_t width = int64_t{text.num_key_value_heads} * text.head_dim;
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> rows(at(kBlock * 2 * width));
  for (float& x : rows) x = value(random);
  for (int64_t done = 0; done < tokens;) {
    const int64_t count = std::min(kBlock, tokens - done);
    std::vector<SequenceRows> parts;
    for (const auto& pages : pages_) {  // all sequences take the same rows
      parts.push_back({.row_begin = 0, .rows = count, .past = length_ + done, .pages = pages});
    }
    for (int layer = 0; layer < text.num_hidden_layers; ++layer) {
      backend_.ops().kv_write(*cache_, layer, rows.data(), rows.data() + width, 2 * width, parts);
    }
    done += count;
  }
  length_ += tokens;
}

void BenchSequences::prefill(int64_t tokens, const BenchPicture& picture) {
  QVL_CHECK(batch_ == 1, "prefill of {} sequences", batch_);
  std::vector<VisualRun> runs;
  const int64_t visual = picture.features != nullptr ? picture.features->tokens : 0;
  if (visual > 0) runs.push_back({picture.begin, picture.rows, picture.columns});
  const RopePositions positions = rope_positions(tokens, runs);
  const int64_t first = length_;
  for (int64_t begin = 0; begin < tokens; begin += chunk_) {
    const int64_t count = std::min(chunk_, tokens - begin);
    Batch batch;
    for (int64_t i = 0; i < count; ++i) {
      batch.token_ids.push_back(static_cast<int32_t>((begin + i) * 7919 % model_.config.text.vocab_size));
    }
    for (int64_t axis = 0; axis < 3; ++axis) {
      for (int64_t i = 0; i < count; ++i) {
        batch.positions.push_back(positions.ids[at(axis * tokens + begin + i)] + static_cast<int32_t>(first));
      }
    }
    const int64_t from = std::max(begin, picture.begin), to = std::min(begin + count, picture.begin + visual);
    if (from < to) batch.visuals = {{from - begin, to - from, picture.features, from - picture.begin}};
    if (begin + count == tokens) batch.logit_rows = {count - 1}, batch.best = {kBest};
    batch.sequences = {{.row_begin = 0, .rows = count, .past = length_, .pages = pages_[0]}};
    run(batch, count);
  }
  delta_ = positions.rope_delta;
}

void BenchSequences::decode_step() {
  Batch batch;
  const auto position = static_cast<int32_t>(length_ + delta_);
  batch.positions.assign(at(3 * batch_), position);
  for (int s = 0; s < batch_; ++s) {
    batch.token_ids.push_back(static_cast<int32_t>((length_ * 7919 + s * 104729) % model_.config.text.vocab_size));
    batch.logit_rows.push_back(s);
    batch.best.push_back(kBest);
    batch.sequences.push_back({.row_begin = s, .rows = 1, .past = length_, .pages = pages_[at(s)]});
  }
  run(batch, 1);
}

void BenchSequences::rewind(int64_t length) {
  length_ = length;
  delta_ = 0;
}

double BenchSequences::take_bytes() { return std::exchange(bytes_, 0); }

void BenchSequences::run(Batch& batch, int64_t rows) {
  ForwardTrace trace;
  if (model_.config.text.moe) {
    const int64_t choices = batch.rows() * model_.config.text.moe->num_experts_per_tok;
    trace.router = [this, choices](int, const int32_t* indices, const float*) { count_experts(indices, choices); };
  }
  model_.language.forward(batch, *cache_, {}, trace.router ? &trace : nullptr);
  length_ += rows;
  bytes_ += static_cast<double>(weights_.every_pass);
  bytes_ += static_cast<double>(batch.sequences.size()) * static_cast<double>(length_) * kv_token_bytes_;
}

void BenchSequences::count_experts(const int32_t* indices, int64_t count) {
  chosen_.assign(at(model_.config.text.moe->num_experts), 0);
  for (int64_t i = 0; i < count; ++i) chosen_[at(indices[i])] = 1;
  const auto distinct = std::count(chosen_.begin(), chosen_.end(), 1);
  bytes_ += static_cast<double>(distinct) * static_cast<double>(weights_.expert);
}

}  // namespace qvl
