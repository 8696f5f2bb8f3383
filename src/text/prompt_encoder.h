// A rendered prompt to token ids. No state.
#pragma once

#include <cstdint>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace qvl {

// The ids of the joined text, but only kControl, kImage and kVideo give added tokens; a medium gives three ids:
// vision_start, image_pad or video_pad, vision_end, in the order of the segments. A control token that the vocabulary
// has not is encoded as text. Errors: kModel "model_tokenizer" where a medium's tokens are missing in the vocabulary.
std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::vector<PromptSegment>& segments);

}  // namespace qvl
