#include "serve/openai_thinking.h"

namespace qvl {
namespace {

constexpr int64_t kMaxInt32 = 2147483647;

struct Effort {
  std::string_view name;
  std::optional<int64_t> budget;
};
const Effort kEfforts[] = {{"none", std::nullopt}, {"minimal", 256}, {"low", 1024},
                           {"medium", 4096},       {"high", 16384},  {"xhigh", std::nullopt}};

void want(ThinkingRequest& thinking, bool wanted, const std::string& param) {
  if (thinking.wanted.value_or(wanted) != wanted) {
    invalid_value(param, fmt::format("contradicts {}", thinking.param));
  }
  thinking.wanted = wanted;
  thinking.param = param;
}

void read_switch(const Fields& fields, ThinkingRequest& thinking) {
  if (const auto enabled = fields.boolean("enable_thinking")) {
    want(thinking, *enabled, fields.path_of("enable_thinking"));
  }
}

const ServedModel* find_kind(const ModelRegistry& models, TemplateKind kind) {
  for (const auto& model : models.models()) {
    if (model->template_kind == kind) return model.get();
  }
  return nullptr;
}

}  // namespace

ThinkingRequest read_thinking(const Fields& fields) {
  ThinkingRequest thinking;
  for (const char* name : {"thinking_token_budget", "thinking_budget"}) {
    const auto budget = fields.integer(name, -1, kMaxInt32);
    if (budget && *budget >= 0 && !thinking.budget) thinking.budget = budget;
  }
  read_switch(fields, thinking);
  if (const Json* kwargs = fields.object("chat_template_kwargs")) {
    read_switch(Fields(*kwargs, "chat_template_kwargs"), thinking);
  }
  const auto effort = fields.string("reasoning_effort");
  if (!effort) return thinking;
  for (const Effort& known : kEfforts) {
    if (known.name != *effort) continue;
    if (known.name == "none") want(thinking, false, "reasoning_effort");
    if (!thinking.budget) thinking.budget = known.budget;
    return thinking;
  }
  invalid_value("reasoning_effort", "expected none, minimal, low, medium, high or xhigh");
}

const ServedModel& model_for(ThinkingRequest& thinking, const ServedModel& named, const ModelRegistry& models) {
  const bool thinks = named.template_kind == TemplateKind::kThinking;
  if (thinking.wanted.value_or(thinks) == thinks) return named;
  const ServedModel* other = find_kind(models, thinks ? TemplateKind::kInstruct : TemplateKind::kThinking);
  if (other) return *other;
  if (!thinks) {
    unsupported(thinking.param, fmt::format("\"{}\" does not think, and no Thinking model is served", named.id));
  }
  thinking.budget = 0;
  return named;
}

}  // namespace qvl
