#include "weights/tensor_names.h"

namespace qvl {
namespace {

struct Rule {
  std::string_view from, to;
};

// The first rule that fits is applied, once.
constexpr Rule kPrefixes[] = {
    {"model.language_model.lm_head.", "lm_head."},
    {"language_model.lm_head.", "lm_head."},
    {"model.lm_head.", "lm_head."},
    {"model.language_model.model.", "model.language_model."},
    {"language_model.model.", "model.language_model."},
    {"model.language_model.", "model.language_model."},
    {"language_model.", "model.language_model."},
    {"model.model.visual.", "model.visual."},
    {"model.model.language_model.", "model.language_model."},
    {"model.model.", "model.language_model."},
    {"model.layers.", "model.language_model.layers."},
    {"model.embed_tokens.", "model.language_model.embed_tokens."},
    {"model.norm.", "model.language_model.norm."},
    {"visual.", "model.visual."},
};

}  // namespace

std::string normalise_tensor_name(std::string_view name) {
  for (const Rule& rule : kPrefixes) {
    if (name.starts_with(rule.from)) return std::string(rule.to).append(name.substr(rule.from.size()));
  }
  return std::string(name);
}

std::string joint_qkv_name(std::string_view name, char part) {
  if (!name.starts_with("model.visual.blocks.")) return {};
  for (const std::string_view suffix : {"", "_proj"}) {
    for (const std::string_view kind : {".weight", ".bias"}) {
      const std::string ending = std::string(".attn.").append(1, part).append(suffix).append(kind);
      if (name.ends_with(ending)) {
        return std::string(name.substr(0, name.size() - ending.size())).append(".attn.qkv").append(kind);
      }
    }
  }
  return {};
}

}  // namespace qvl
