// Whether and how long the model thinks, in the spellings of OpenAI, vLLM and DashScope. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>

#include "chat/served_model.h"
#include "serve/fields.h"

namespace qvl {

struct ThinkingRequest {
  std::optional<bool> wanted;     // absent: as the model does
  std::optional<int64_t> budget;  // tokens of reasoning
  std::string param;              // what said `wanted`
};

//   enable_thinking, chat_template_kwargs.enable_thinking: on or off
//   thinking_token_budget, thinking_budget: the budget; -1 is none
//   reasoning_effort: none is off; minimal, low, medium and high are budgets of 256, 1024, 4096 and 16384 tokens where
//   none is given; xhigh sets none.
// Errors: fields.h; "invalid_value" where switches contradict each other.
ThinkingRequest read_thinking(const Fields& fields);

// The model that answers: `named`, or the served one of the other kind where the request turns thinking on or off.
// Without an Instruct model "off" leaves a Thinking model a budget of 0, which is set here; without a Thinking model
// "on" is "unsupported".
const ServedModel& model_for(ThinkingRequest& thinking, const ServedModel& named, const ModelRegistry& models);

}  // namespace qvl
