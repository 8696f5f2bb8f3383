// Which matrix is stored in which format, as a table by the tensor's name. Thread-safe; plain data.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "ops/ops.h"

namespace qvl {

enum class Quantize { kNone, kInt8, kInt4 };

std::optional<Quantize> parse_quantize(std::string_view word);  // "none", "int8", "int4"
std::string_view quantize_name(Quantize quantize);

// Of a matrix whose (first) tensor has this normalised name, e.g. "model.visual.blocks.0.attn.qkv.weight". Experts go
// by "model.language_model.layers.0.mlp.experts.".
WeightFormat weight_format(Quantize quantize, std::string_view tensor_name);

// All that weight_format() says under this setting, as text: kept matrices are of the same plan if these are equal.
std::string plan_text(Quantize quantize);

}  // namespace qvl
