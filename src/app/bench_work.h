// How much arithmetic a model's formulas need, from its dimensions alone: true multiply-adds, whatever a backend pads,
// rounds or computes twice. Thread-safe.
#pragma once

#include "media/preprocess.h"
#include "model/config.h"

namespace qvl {

struct ModelWork {
  // Multiply-adds.
  double token = 0;            // the matrices of all layers for one row; of the experts only the chosen ones
  double head = 0;             // one row of logits
  double attended = 0;         // one query against one visible token, all layers
  double patch = 0;            // the tower's matrices for one patch, the mergers' share included
  double attended_patch = 0;   // one patch against one of its frame, all blocks
  // Weights.
  double text_weights = 0, vision_weights = 0;
};
ModelWork model_work(const ModelConfig& config);

// tokens rows after `past` in the cache, `logit_rows` of them through the head.
double text_macs(const ModelWork& work, int64_t past, int64_t tokens, int64_t logit_rows);
double vision_macs(const ModelWork& work, const Grid& grid);

}  // namespace qvl
