// What the server offers under a name: one engine with one chat template. Plain data, fixed before the first request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/answer_grammar.h"
#include "chat/media_source.h"
#include "chat/model_metrics.h"
#include "chat/picture_memory.h"
#include "engine/engine.h"
#include "media/preprocess.h"
#include "model/config.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace qvl {

// Sampling where the request says nothing: the model's generation_config first, then Qwen's recommendation for pictures
// (spec 1.6). do_sample = false gives greedy decoding without any penalty.
struct SamplingDefaults {
  double temperature = 0, top_p = 1, min_p = 0, repetition_penalty = 1, presence_penalty = 0;
  int top_k = 0;
  int64_t max_tokens = 0;  // where the context leaves as much
};
SamplingDefaults sampling_defaults(TemplateKind kind, const GenerationConfig& generation);

struct ServedModel {
  std::string id;
  TemplateKind template_kind = TemplateKind::kInstruct;
  bool demo = false;
  const Tokenizer* tokenizer = nullptr;  // outlive the registry
  Engine* engine = nullptr;
  ModelConfig config;
  ProcessorConfig processor;
  GenerationConfig generation;
  int64_t created = 0;  // seconds since 1970
  std::string owned_by = "qwen3vl";
  const MediaAccess* media = nullptr;  // set by ModelRegistry::add; pictures by URL or path, nullptr: none

  std::shared_ptr<GrammarStore> grammars;  // set by ModelRegistry::add
  SamplingDefaults defaults;         // set by ModelRegistry::add
  std::shared_ptr<PictureMemory> remembered;  // set by ModelRegistry::add, which shares it among its models
  std::shared_ptr<ModelMetrics> metrics;  // set by ModelRegistry::add
  size_t longest_token_bytes = 256;  // set by ModelRegistry::add; bounds the tokens of a text from below

  std::string_view kind_name() const { return template_kind == TemplateKind::kThinking ? "thinking" : "instruct"; }
};

// The first model added is the default. Addresses stay valid.
class ModelRegistry {
 public:
  const ServedModel& add(ServedModel model);
  void set_media(const MediaAccess* media) { media_ = media; }  // before the first add; outlives the registry
  const MediaAccess* media() const { return media_; }
  const std::vector<std::unique_ptr<const ServedModel>>& models() const { return models_; }
  // All throw kNotFound "model_not_found" where there is none, naming what is served.
  const ServedModel& default_model() const;
  const ServedModel& find(std::string_view id) const;
  const ServedModel& find_kind(TemplateKind kind) const;

 private:
  std::string served_ids() const;
  std::vector<std::unique_ptr<const ServedModel>> models_;
  std::shared_ptr<PictureMemory> remembered_ = std::make_shared<PictureMemory>();
  const MediaAccess* media_ = nullptr;
};

}  // namespace qvl
