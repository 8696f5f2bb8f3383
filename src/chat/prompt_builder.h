// Messages and patches -> the engine's Prompt: template, tokens, expanded placeholders, positions. Stateless,
// thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/json.h"
#include "engine/engine.h"
#include "media/preprocess.h"
#include "model/config.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace qvl {

// A picture, or the sampled frames of a video, as the vision tower takes it. Cheap to copy.
struct MediaItem {
  Grid grid;
  std::shared_ptr<const std::vector<float>> patches;  // [grid.patches(), patch_dim]
  Sha256 content_hash{};                              // of the grid and what the patches are made of
  std::optional<FrameSampling> video;                 // absent: a picture. texts has grid.t entries
  bool pinned = false;                                // as in PromptVisual
};
MediaItem make_media_item(Patches patches, std::optional<FrameSampling> video = std::nullopt);

struct PromptOptions {
  // transformers 5.12 keeps the template's own vision_start/end around all groups of a video; 4.57, which the models
  // were published with, replaces the whole wrapper (golden fact 1).
  bool keep_video_wrapper = false;
  // A prompt past this many tokens is refused as early as it is known.
  int64_t max_tokens = std::numeric_limits<int32_t>::max();
  // The longest token of the tokenizer in bytes, 0 where unknown: long texts are then refused before they are encoded.
  size_t longest_token_bytes = 0;
};

// media_in_order: one for each placeholder that the template writes. Errors (kInvalidRequest): the template's,
// "context_length_exceeded", "invalid_value" where placeholders and media do not pair up.
Prompt build_prompt(const Tokenizer& tokenizer, const ModelConfig& config, TemplateKind kind, const Json& messages,
                    const Json& tools, const RenderOptions& render, std::span<const MediaItem> media_in_order,
                    const PromptOptions& options = {});

// Ids as they are, without a template and without media.
Prompt prompt_of_ids(std::vector<int32_t> token_ids);

}  // namespace qvl
