// Pictures and videos among the parts of a message, in the spellings of OpenAI, vLLM, llama-server, DashScope and
// qwen-vl-utils. Thread-safe.
#pragma once

#include <string>

#include "base/json.h"
#include "chat/processor.h"

namespace qvl {

// DashScope's own parts have no type: the key names it. Errors: fields.h.
std::string part_type(const Json& part, const std::string& path);

enum class MediaKind { kPicture, kVideo };
// Errors: "unsupported" for audio and files, "unsupported_content_type" for what nobody knows.
MediaKind media_kind(const std::string& type, const std::string& path);
[[noreturn]] void unsupported_content(const std::string& param, const std::string& message);

// Sources are moved out of `part`. Errors: fields.h, "unsupported", chat/video_source.h.
PictureInput read_picture_part(Json& part, const std::string& path);
VideoInput read_video_part(Json& part, const std::string& path, size_t max_frames);

// mm_processor_kwargs and media_io_kwargs of a request, for the pictures and videos that say nothing of their own.
void read_media_kwargs(const Json& request, ChatInput& input);

}  // namespace qvl
