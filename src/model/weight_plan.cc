#include "model/weight_plan.h"

#include <fmt/format.h>

namespace qvl {
namespace {

using enum WeightFormat;

// The first row whose prefix begins the name and whose part stands in it decides. "none" keeps every matrix plain.
struct Rule {
  std::string_view prefix, part;
  WeightFormat int8, int4;
};
constexpr Rule kRules[] = {
    {"model.visual.", "", kInt8, kInt8},
    {"model.language_model.embed_tokens.", "", kInt8Halves, kInt8Halves},  // most models' head too
    {"lm_head.", "", kInt8Halves, kInt8Halves},
    {"model.language_model.layers.", ".mlp.gate.", kPlain,
     kPlain},  // the router: small, and it decides for all experts
    {"model.language_model.layers.", ".v_proj.", kInt8, kInt8},  // 4 % of a layer, and nearly half of int4's harm
    {"model.language_model.layers.", "", kInt8, kInt4},
};

constexpr std::string_view kNames[] = {"none", "int8", "int4"};

}  // namespace

std::optional<Quantize> parse_quantize(std::string_view word) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == word) return static_cast<Quantize>(i);
  }
  return std::nullopt;
}

std::string_view quantize_name(Quantize quantize) { return kNames[static_cast<size_t>(quantize)]; }

WeightFormat weight_format(Quantize quantize, std::string_view tensor_name) {
  if (quantize == Quantize::kNone) return kPlain;
  for (const Rule& rule : kRules) {
    if (!tensor_name.starts_with(rule.prefix) || tensor_name.find(rule.part) == tensor_name.npos) continue;
    return quantize == Quantize::kInt8 ? rule.int8 : rule.int4;
  }
  return kPlain;
}

std::string plan_text(Quantize quantize) {
  std::string text(quantize_name(quantize));
  for (const Rule& rule : kRules) {
    const WeightFormat format = quantize == Quantize::kInt8 ? rule.int8 : rule.int4;
    if (quantize != Quantize::kNone) text += fmt::format(";{}*{}={}", rule.prefix, rule.part, static_cast<int>(format));
  }
  return text;
}

}  // namespace qvl
