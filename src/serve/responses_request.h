// A request of OpenAI's /v1/responses: every field checked by type and range. Thread-safe.
#pragma once

#include "base/json.h"
#include "chat/chat_service.h"
#include "chat/served_model.h"

namespace qvl {

struct ResponsesRequest {
  ChatRequest chat;
  bool stream = false;
  Json echo;  // the members of the answer that repeat the request
};

// Takes pictures and texts out of `json`. Nothing is stored: `store` is accepted and answered with false, what refers
// to stored things (previous_response_id, conversation, item_reference, file_id) is "unsupported". Reasoning items of
// the input are ignored: the templates show no thoughts of earlier turns. Errors: fields.h, openai_messages.h,
// "model_not_found".
ResponsesRequest read_responses(Json& json, const ModelRegistry& models);

}  // namespace qvl
