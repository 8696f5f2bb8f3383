#include "chat/served_model.h"

#include <algorithm>

#include "base/error.h"

namespace qvl {
namespace {

size_t longest_token(const Tokenizer& tokenizer) {
  size_t longest = 1;
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (const auto bytes = tokenizer.token_bytes(id)) longest = std::max(longest, bytes->size());
  }
  return longest;
}

}  // namespace

SamplingDefaults sampling_defaults(TemplateKind kind, const GenerationConfig& generation) {
  const bool thinking = kind == TemplateKind::kThinking;
  SamplingDefaults d;
  d.max_tokens = thinking ? 40960 : 32768;
  d.repetition_penalty = generation.repetition_penalty.value_or(1.0);
  d.min_p = generation.min_p.value_or(0.0);
  if (!generation.do_sample) return d;
  d.temperature = generation.temperature.value_or(thinking ? 1.0 : 0.7);
  d.top_p = generation.top_p.value_or(thinking ? 0.95 : 0.8);
  d.top_k = generation.top_k.value_or(20);
  d.presence_penalty = generation.presence_penalty.value_or(thinking ? 0.0 : 1.5);
  return d;
}

const ServedModel& ModelRegistry::add(ServedModel model) {
  model.defaults = sampling_defaults(model.template_kind, model.generation);
  model.grammars = std::make_shared<GrammarStore>(*model.tokenizer);
  model.longest_token_bytes = longest_token(*model.tokenizer);
  model.remembered = remembered_;
  model.media = media_;
  model.metrics = std::make_shared<ModelMetrics>(model.id);
  models_.push_back(std::make_unique<const ServedModel>(std::move(model)));
  return *models_.back();
}

std::string ModelRegistry::served_ids() const {
  std::string ids;
  for (const auto& model : models_) ids += (ids.empty() ? "" : ", ") + model->id;
  return ids.empty() ? "none" : ids;
}

const ServedModel& ModelRegistry::default_model() const {
  if (models_.empty()) throw Error(ErrorKind::kNotFound, "model_not_found", "no model is served", "model");
  return *models_.front();
}

const ServedModel& ModelRegistry::find(std::string_view id) const {
  for (const auto& model : models_) {
    if (model->id == id) return *model;
  }
  throw Error(ErrorKind::kNotFound, "model_not_found",
              fmt::format("the model \"{}\" is not served; served are: {}", printable(id), served_ids()), "model");
}

const ServedModel& ModelRegistry::find_kind(TemplateKind kind) const {
  for (const auto& model : models_) {
    if (model->template_kind == kind) return *model;
  }
  throw Error(ErrorKind::kNotFound, "model_not_found",
              fmt::format("no {} model is served; served are: {}",
                          kind == TemplateKind::kThinking ? "thinking" : "instruct", served_ids()),
              "model");
}

}  // namespace qvl
