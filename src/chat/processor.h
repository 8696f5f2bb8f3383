// A validated request's messages and pictures -> Prompt: decode, resize, patches, template. Stateless, thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "chat/prompt_builder.h"
#include "chat/served_model.h"

namespace qvl {

// low: at most 256 tokens; high: at least 1024 where the model's limit allows it; auto: the model's own limits.
enum class Detail { kAuto, kLow, kHigh };

struct PictureInput {
  std::string source;  // data URI or base64
  Detail detail = Detail::kAuto;
  std::optional<int64_t> min_pixels, max_pixels;  // win over detail
  std::string param;                              // the request's field, for messages
};

struct ChatInput {
  Json messages;                       // as render_chat() takes them, each picture a part {"type": "image"}
  Json tools;                          // null or an array
  std::vector<PictureInput> pictures;  // in order of appearance
  RenderOptions render;
};

// Errors: those of override_limits().
PixelLimits picture_limits(const ProcessorConfig& processor, const PictureInput& picture);

// abandoned, where given: once true the work ends soon with kInternal "abandoned", which nobody will see.
// Errors: media_source.h, media/image.h, prompt_builder.h.
Prompt make_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned = nullptr);

}  // namespace qvl
