// What a request says about the form of its answer: response_format, guided_json, grammar, tool_choice and tools that are strict. All
// of them become a grammar, one a request. Thread-safe.
#pragma once

#include "chat/chat_service.h"
#include "serve/fields.h"

namespace qvl {

// Sets chat.sampling.grammar where the answer has a form; tool_choice "none" takes the tools away. chat.model, chat.input.tools (as the
// request has them, checked) and chat.single_tool_call must be set. Errors (kInvalidRequest): those of fields.h; "unsupported_schema",
// "invalid_schema", "invalid_grammar" naming the place.
void read_answer_grammar(const Fields& fields, ChatRequest& chat);

}  // namespace qvl
