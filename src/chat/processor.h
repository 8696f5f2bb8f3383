// A validated request's messages and pictures -> Prompt: decode, resize, patches, template. Stateless, thread-safe.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chat/prompt_builder.h"
#include "chat/served_model.h"

namespace qvl {

// low: at most 256 tokens; high: at least 1024 where the model's limit allows it; auto: the model's own limits.
enum class Detail { kAuto, kLow, kHigh };

struct PictureInput {
  std::string source;  // data URI, base64, or a URL or path (chat/media_source.h)
  Detail detail = Detail::kAuto;
  std::optional<int64_t> min_pixels, max_pixels;  // win over detail
  std::string param;                              // the request's field, for messages
  std::string uuid;                            // the client's name for it; with an empty source the remembered picture
  std::optional<std::pair<int, int>> resized;  // height and width to take instead of its own, before rounding
};

// A video as its frames, which are all shown, unless sample_fps or num_frames chooses among them.
struct VideoInput {
  std::vector<std::string> frames;  // each as a picture's source; at least one
  double fps = 2;                   // of these frames
  std::optional<double> sample_fps;
  std::optional<int64_t> num_frames;
  std::optional<int64_t> min_pixels, max_pixels;              // of a frame; win over the totals
  std::optional<int64_t> min_total_pixels, max_total_pixels;  // of all frames
  std::string param;
};

struct ChatInput {
  Json messages;                       // as render_chat() takes them, each picture a part {"type": "image"}
  Json tools;                          // null or an array
  std::vector<PictureInput> pictures;  // in order of appearance
  std::vector<VideoInput> videos;      // the same; each a part {"type": "video"}
  RenderOptions render;
  bool decode_known = false;  // decode pictures as well whose features the engine says it knows
};

// Errors: those of override_limits().
PixelLimits picture_limits(const ProcessorConfig& processor, const PictureInput& picture);

// abandoned, where given: once true the work ends soon with kInternal "abandoned", which nobody will see.
// Errors: media_loader.h, prompt_builder.h.
Prompt make_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned = nullptr);

// The same without decoding: visuals have a grid, but no patches. For counting.
Prompt measure_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned = nullptr);

}  // namespace qvl
