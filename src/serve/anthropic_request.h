// A request of Anthropic's /v1/messages: every field checked by type and range. Thread-safe.
#pragma once

#include "base/json.h"
#include "chat/chat_service.h"
#include "chat/served_model.h"

namespace qvl {

struct AnthropicRequest {
  ChatRequest chat;
  bool stream = false;
};

// Takes pictures and texts out of `json`. counting: a request of /v1/messages/count_tokens, without max_tokens.
// Thinking models think unless thinking.type is "disabled"; blocks of earlier thoughts are read as such, without their
// signatures. Unknown fields are ignored, those that would change the answer and are not implemented are "unsupported".
// Errors: fields.h, openai_messages.h, "model_not_found".
AnthropicRequest read_anthropic(Json& json, const ModelRegistry& models, bool counting = false);

}  // namespace qvl
