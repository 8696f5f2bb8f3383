#include "text/prompt_encoder.h"

#include "base/error.h"

namespace qvl {
namespace {

int32_t require_token(const Tokenizer& tokenizer, std::string_view content) {
  const auto id = tokenizer.added_token_id(content);
  if (!id) {
    throw_error(ErrorKind::kModel, "model_tokenizer", "expected the token {} in the vocabulary, found none", content);
  }
  return *id;
}

}  // namespace

std::vector<int32_t> encode_prompt(const Tokenizer& tokenizer, const std::vector<PromptSegment>& segments) {
  std::vector<int32_t> ids;
  std::string text;  // up to the next added token: the reference splits a prompt nowhere else
  const auto flush = [&] {
    const auto encoded = tokenizer.encode(text);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    text.clear();
  };
  for (const PromptSegment& segment : segments) {
    switch (segment.kind) {
      case PromptSegment::Kind::kText:
        text += segment.text;
        break;
      case PromptSegment::Kind::kControl:
        if (const auto id = tokenizer.added_token_id(segment.text)) {
          flush();
          ids.push_back(*id);
        } else {
          text += segment.text;
        }
        break;
      case PromptSegment::Kind::kImage:
      case PromptSegment::Kind::kVideo: {
        flush();
        const bool image = segment.kind == PromptSegment::Kind::kImage;
        for (const char* token : {"<|vision_start|>", image ? "<|image_pad|>" : "<|video_pad|>", "<|vision_end|>"}) {
          ids.push_back(require_token(tokenizer, token));
        }
        break;
      }
    }
  }
  flush();
  return ids;
}

}  // namespace qvl
