// StepPlan -> Batch -> logits: owns the KV cache and the encoding of pictures. The engine's thread only.
#pragma once

#include <functional>
#include <span>

#include "cache/image_cache.h"
#include "engine/scheduler.h"
#include "model/model.h"

namespace qvl {

class ModelRunner {
 public:
  ModelRunner(Model& model, int pages, size_t image_cache_bytes);

  // One slice of the next picture of a sequence: takes known features from the cache, else runs one vision block.
  void encode_slice(Sequence& sequence);
  // Runs the plan's parts. The logits of each part whose last token is its sequence's last and of its verified guesses, in
  // the order of parts, [count, vocab_size]; empty if `stop` said so between two layers: then nothing counts as computed.
  std::span<const float> forward(const StepPlan& plan, const std::function<bool()>& stop);

  int64_t vocab_size() const { return model_.config.text.vocab_size; }

 private:
  void append(Batch& batch, const StepPlan::Part& part) const;
  void append_visuals(Batch& batch, const Sequence& sequence, int64_t begin, int64_t end, int64_t first_row) const;

  Model& model_;
  std::unique_ptr<KvCache> kv_;
  ImageCache image_cache_;
};

}  // namespace qvl
