// What a model's work takes beside its weights and its KV cache, by its configuration. The counts follow the buffers of
// LanguageModel, VisionTower and the CPU backend. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "model/config.h"
#include "model/weight_plan.h"

namespace qvl {

// Packed weights and the vectors beside them; stored: the type of the checkpoint's matrices.
size_t weight_needs(const ModelConfig& config, const Backend& backend, Quantize quantize, DType stored);
// One pass over `rows` tokens with logits of `logit_rows` of them.
size_t pass_needs(const TextConfig& config, int64_t rows, int64_t logit_rows);
// One picture of so many patches through the vision tower: its values, the activations, the features.
size_t picture_needs(const VisionConfig& config, int64_t patches);

}  // namespace qvl
