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
  struct ImageCounts {
    int64_t hits = 0, misses = 0;  // visuals that needed no encoding, and encoded ones
  };

  ModelRunner(Model& model, int pages, ImageCache& image_cache);

  // Passes over visuals of the sequence that need no encoding: known features, or all tokens computed already.
  void settle_visuals(Sequence& sequence);
  // Encodes the sequence's next visual for about this long. True: that one is done. fine: in small pieces, so that the time
  // is kept.
  bool encode_slice(Sequence& sequence, double ms, bool fine);
  // Runs the plan's parts. The logits of each part whose last token is its sequence's last and of its verified guesses, in
  // the order of parts, [count, vocab_size]; empty if `stop` said so between two layers: then nothing counts as computed.
  std::span<const float> forward(const StepPlan& plan, const std::function<bool()>& stop);

  int64_t vocab_size() const { return model_.config.text.vocab_size; }
  int merge_unit() const { return model_.config.vision.merge_unit(); }
  const ImageCounts& image_counts() const { return counts_; }

 private:
  void append(Batch& batch, const StepPlan::Part& part) const;
  void append_visuals(Batch& batch, const Sequence& sequence, int64_t begin, int64_t end, int64_t first_row) const;

  Model& model_;
  std::unique_ptr<KvCache> kv_;
  ImageCache& image_cache_;
  ImageCounts counts_;
};

}  // namespace qvl
