// A request of /v1/chat/completions: every field checked by type and range. Thread-safe.
#pragma once

#include "base/json.h"
#include "chat/chat_service.h"
#include "chat/served_model.h"
#include "serve/chat_format.h"
#include "serve/fields.h"

namespace qvl {

// The one that "model" names, or the first one served. Errors: "model_not_found", fields.h.
const ServedModel& named_model(const Fields& fields, const ModelRegistry& models);

// What the model reads: model, messages, tools, settings of template and processor.
struct OpenAiPrompt {
  const ServedModel* model = nullptr;
  ChatInput input;
  std::optional<int64_t> thinking_budget;
};
// Takes pictures out of `json`. Errors: fields.h, openai_messages.h, "model_not_found".
OpenAiPrompt read_openai_prompt(Json& json, const ModelRegistry& models);

struct OpenAiChatRequest {
  ChatRequest chat;
  int n = 1;  // answers
  bool stream = false;
  bool reasoning_control = false;  // the client may end the reasoning of the running answer
  ChatFormatOptions format;
};

// Takes pictures out of `json`. null means the default. Fields that are not named here are ignored; those that would
// change the answer and are not implemented are "unsupported". Errors: fields.h, openai_messages.h, "model_not_found".
OpenAiChatRequest read_openai_chat(Json& json, const ModelRegistry& models);

}  // namespace qvl
