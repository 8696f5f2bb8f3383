// A request of /v1/chat/completions: every field checked by type and range. Thread-safe.
#pragma once

#include "base/json.h"
#include "chat/chat_service.h"
#include "chat/served_model.h"
#include "serve/chat_format.h"

namespace qvl {

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
