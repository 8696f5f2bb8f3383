// The prompt of a conversation that may be longer than the context. Stateless, thread-safe.
#pragma once

#include "chat/processor.h"

namespace qvl {

struct FittedPrompt {
  Prompt prompt;
  int64_t dropped_messages = 0;
};

// make_prompt(), but where the conversation leaves less than answer_tokens of the context, whole turns are left out, the oldest
// first: never the system message, the last turn, or one picture of several.
FittedPrompt make_fitted_prompt(const ServedModel& model, const ChatInput& input, int64_t answer_tokens,
                                const std::atomic<bool>* abandoned = nullptr);

}  // namespace qvl
