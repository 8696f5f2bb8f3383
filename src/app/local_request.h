// Requests from the command line: messages whose pictures and videos are local files, for `trace`, `chat` and the
// conformance program. Paths are the user's own, so any file may be read here; the server has no such way in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/model_loader.h"
#include "base/json.h"
#include "chat/processor.h"
#include "chat/prompt_builder.h"
#include "media/image.h"

namespace qvl {

struct LocalVisual {
  bool is_video = false;
  std::string url;
  Grid grid;
  std::vector<Image> frames;   // as decoded: one picture, or the sampled frames
  std::vector<Image> resized;  // one, or padded to an even count
  FrameSampling sampling;      // videos
  MediaItem item;
};

struct LocalRequest {
  Json messages, tools;
  RenderOptions render;
  std::vector<LocalVisual> visuals;  // in order of appearance
  std::vector<MediaItem> items() const;
};

// file: {"messages": [...], "tools": ..., "template_kwargs": {...}} or a bare array of messages. image_url parts name files
// below root or are data URIs. video_url parts name videos whose sampled frames stand in media/frames/NAME/NNNN.png below
// root, with media/videos.json for their rate and length. Errors: kInvalidRequest, naming the file.
LocalRequest load_local_request(const Json& file, const std::filesystem::path& root, const ProcessorConfig& processor,
                                AlphaMode alpha);

// A picture's file as a request has it. Errors: kInvalidRequest "file_missing".
PictureInput read_picture(const std::filesystem::path& file);

// Where the paths of a messages file start: its folder or the nearest folder above it that has the first file they name
// (reference data keeps its cases two folders below the media); else the working directory.
std::filesystem::path find_media_root(const Json& file, const std::filesystem::path& messages_file);

Prompt build_local_prompt(const LoadedModel& model, const LocalRequest& request, bool keep_video_wrapper = false);

}  // namespace qvl
