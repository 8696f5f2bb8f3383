// Text and ids that a client sends as a prompt of its own, past the chat template. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "chat/served_model.h"

namespace qvl {

// Text that is encoded whole: no longer than the text of a chat. Errors: "invalid_type", kTooLarge "body_too_large".
const std::string& read_text(const Json& text, const std::string& param);
// As vLLM and llama-server do, what spells a control token is one: such a prompt is its writer's own template. What
// cannot fit the context is refused before it is encoded. Errors: read_text()'s, "invalid_value" for nothing,
// "context_length_exceeded".
std::vector<int32_t> encode_prompt(const ServedModel& model, const Json& text, const std::string& param);
// At least one id of the vocabulary. Errors: fields.h, "context_length_exceeded".
std::vector<int32_t> read_token_ids(const ServedModel& model, const Json& ids, const std::string& param);

}  // namespace qvl
