// The messages of OpenAI's chat format -> what the templates and the processor take. Thread-safe.
#pragma once

#include <string>

#include "base/json.h"
#include "chat/processor.h"

namespace qvl {

struct MessageLimits {
  size_t max_messages = 4096, max_parts = 256, max_pictures = 32, max_videos = 4, max_frames = 768;  // of a video
  size_t max_text_bytes = size_t{4} << 20;                                                           // in all
};

// Fills input.messages, input.pictures and input.videos; pictures are moved out of `messages`. Errors: kInvalidRequest
// with the codes of fields.h and openai_parts.h; kTooLarge "body_too_large" for text.
void read_messages(Json& messages, ChatInput& input, const MessageLimits& limits = {});

}  // namespace qvl
