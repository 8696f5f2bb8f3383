// The two chat templates of Qwen3-VL (spec 7), written as code: a model file's template is recognised, never run.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"

namespace qvl {

enum class TemplateKind { kInstruct, kThinking };

// A piece of a rendered prompt. Only kControl text may become added tokens; kText came from somebody outside or is
// plain wording of the template. kImage and kVideo stand for one placeholder triple
// <|vision_start|><|image_pad|><|vision_end|>.
struct PromptSegment {
  enum class Kind { kText, kControl, kImage, kVideo };
  Kind kind;
  std::string text;  // kImage, kVideo: the placeholder triple as text
};

struct RenderOptions {
  bool add_generation_prompt = true;
  bool add_vision_id = false;
};

// messages, tools: as in OpenAI's API (content a string or parts; image parts in any of the spellings the template
// knows). Segments joined equal the Jinja template's output to the byte. Errors: kInvalidRequest where a message is
// malformed.
std::vector<PromptSegment> render_chat(TemplateKind kind, const Json& messages, const Json& tools,
                                       const RenderOptions& options);
std::string join_segments(const std::vector<PromptSegment>& segments);

// Which of the two a model's folder asks for (chat_template.jinja, chat_template.json or tokenizer_config.json;
// Instruct where there is none). Errors: kModel "template_syntax", "template_depth", "template_budget",
// "template_unsupported".
TemplateKind detect_template(const std::filesystem::path& folder);

}  // namespace qvl
