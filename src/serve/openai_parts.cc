#include "serve/openai_parts.h"

#include <algorithm>

#include "chat/video_source.h"
#include "media/preprocess.h"
#include "serve/fields.h"

namespace qvl {
namespace {

constexpr size_t kMaxUuidBytes = 256;
constexpr int kMaxSide = 65536;
constexpr double kMaxFps = 240;

// The member that holds the data: the part's own names for it, in order.
std::string source_key(const Json& part, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (part.contains(name)) return name;
  }
  return {};
}

void read_pixels(const Fields& fields, std::optional<int64_t>& least, std::optional<int64_t>& most) {
  if (const auto pixels = fields.integer("min_pixels", 1, kMaxPixelBudget)) least = pixels;
  if (const auto pixels = fields.integer("max_pixels", 1, kMaxPixelBudget)) most = pixels;
  if (least && most && *least > *most) {
    invalid_value(fields.path_of("min_pixels"), fmt::format("{} is greater than max_pixels {}", *least, *most));
  }
}

void read_picture_options(const Fields& fields, PictureInput& picture) {
  if (const auto detail = fields.string("detail")) {
    if (*detail == "low") {
      picture.detail = Detail::kLow;
    } else if (*detail == "high") {
      picture.detail = Detail::kHigh;
    } else if (*detail != "auto") {
      invalid_value(fields.path_of("detail"), "expected low, auto or high");
    }
  }
  read_pixels(fields, picture.min_pixels, picture.max_pixels);
  const auto height = fields.integer("resized_height", 1, kMaxSide),
             width = fields.integer("resized_width", 1, kMaxSide);
  if (height && !width) missing_required(fields.path_of("resized_width"));
  if (width && !height) missing_required(fields.path_of("resized_height"));
  if (height) picture.resized = {static_cast<int>(*height), static_cast<int>(*width)};
  if (const auto uuid = fields.string("uuid", kMaxUuidBytes)) picture.uuid = *uuid;
}

// The text of a source: a string, or an object with it under "url" (or "data", llama-server's name for base64). Empty
// where there is none.
std::string take_source(Json& source, const std::string& path, const char* expected) {
  if (source.is_string()) return std::move(source.get_ref<std::string&>());
  if (!source.is_object()) invalid_type(path, expected, source);
  const char* key = source.contains("data") && !source.contains("url") ? "data" : "url";
  const Fields fields(source, path);
  fields.require(key);
  if (!source[key].is_string()) invalid_type(fields.path_of(key), "a string", source[key]);
  return std::move(source[key].get_ref<std::string&>());
}

std::vector<std::string> take_frames(Json& list, const std::string& path, size_t max_frames) {
  if (list.empty()) invalid_value(path, "expected at least one frame");
  if (list.size() > max_frames) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("{}: expected at most {} frames, found {}", path, max_frames, list.size()), path);
  }
  std::vector<std::string> frames;
  for (size_t i = 0; i < list.size(); ++i) {
    frames.push_back(take_source(list[i], fmt::format("{}[{}]", path, i), "a string with a picture"));
  }
  return frames;
}

void read_video_options(const Fields& fields, VideoInput& video) {
  if (const auto fps = fields.number("fps", 0.01, kMaxFps)) video.fps = *fps;
  if (const auto fps = fields.number("sample_fps", 0.01, kMaxFps)) video.fps = *fps;  // qwen-vl-utils' name
  read_pixels(fields, video.min_pixels, video.max_pixels);
  // DashScope counts the pixels of one frame in two: those of a token's row.
  if (const auto pixels = fields.integer("total_pixels", 1, kMaxPixelBudget)) {
    video.max_total_pixels = std::min(2 * *pixels, kMaxPixelBudget);
  }
  if (const auto frames = fields.integer("nframes", 2, INT32_MAX)) video.num_frames = frames;
  for (const char* name :
       {"resized_height", "resized_width", "video_start", "video_end", "min_frames", "max_frames", "uuid", "detail"}) {
    if (fields.has(name))
      unsupported(fields.path_of(name), "not supported for a list of frames; send the frames to be shown");
  }
}

struct MediaKwargs {
  std::optional<int64_t> min_pixels, max_pixels, num_frames;
  std::optional<double> fps;
};

void only(const Json& object, const std::string& path, std::initializer_list<std::string_view> names) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || std::find(names.begin(), names.end(), key) != names.end()) continue;
    std::string expected;
    for (const std::string_view name : names) expected += (expected.empty() ? "" : ", ") + std::string(name);
    unsupported(path + "." + printable(key), "expected one of " + expected);
  }
}

MediaKwargs read_processor_kwargs(const Json& kwargs) {
  const std::string path = "mm_processor_kwargs";
  const Fields fields(kwargs, path);
  only(kwargs, path, {"min_pixels", "max_pixels", "size", "fps", "num_frames", "do_sample_frames"});
  MediaKwargs out;
  read_pixels(fields, out.min_pixels, out.max_pixels);
  if (const Json* size = fields.object("size")) {
    const Fields edges(*size, path + ".size");
    if (const auto edge = edges.integer("shortest_edge", 1, kMaxPixelBudget)) out.min_pixels = edge;
    if (const auto edge = edges.integer("longest_edge", 1, kMaxPixelBudget)) out.max_pixels = edge;
  }
  out.fps = fields.number("fps", 0.01, kMaxFps);
  out.num_frames = fields.integer("num_frames", 2, INT32_MAX);
  if (out.fps && out.num_frames) invalid_value(path + ".fps", "expected fps or num_frames, found both");
  if (fields.boolean("do_sample_frames") == false) out.fps = std::nullopt, out.num_frames = std::nullopt;
  return out;
}

void read_io_kwargs(const Json& kwargs, MediaKwargs& out, std::optional<double>& source_fps) {
  only(kwargs, "media_io_kwargs", {"video", "image"});
  const Fields fields(kwargs, "media_io_kwargs");
  if (const Json* image = fields.object("image")) only(*image, "media_io_kwargs.image", {});
  const Json* video = fields.object("video");
  if (!video) return;
  only(*video, "media_io_kwargs.video", {"num_frames", "fps"});
  const Fields entry(*video, "media_io_kwargs.video");
  source_fps = entry.number("fps", 0.01, kMaxFps);
  const auto frames = entry.integer("num_frames", -1, INT32_MAX);  // -1: all
  if (frames && *frames >= 0 && *frames < 2)
    invalid_value("media_io_kwargs.video.num_frames", "expected -1 or at least 2");
  if (frames && *frames > 0 && !out.fps && !out.num_frames) out.num_frames = frames;
}

}  // namespace

void unsupported_content(const std::string& param, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "unsupported_content_type", fmt::format("{}: {}", param, message), param);
}

std::string part_type(const Json& part, const std::string& path) {
  const auto type = part.find("type");
  if (type == part.end()) {
    for (const char* key : {"text", "image_url", "image", "video_url", "video"}) {
      if (part.contains(key)) return key;
    }
    missing_required(path + ".type");
  }
  if (!type->is_string()) invalid_type(path + ".type", "a string", *type);
  return type->get<std::string>();
}

MediaKind media_kind(const std::string& type, const std::string& path) {
  if (type == "image_url" || type == "input_image" || type == "image") return MediaKind::kPicture;
  if (type == "video_url" || type == "input_video" || type == "video") return MediaKind::kVideo;
  if (type == "input_audio" || type == "audio_url" || type == "audio") {
    unsupported(path, "audio not supported by this model");
  }
  if (type == "file" || type == "input_file")
    unsupported(path, "files are not read; send a document's pages as pictures");
  unsupported_content(
      path, fmt::format("expected a part of type text, image_url or video_url, found \"{}\"", printable(type)));
}

PictureInput read_picture_part(Json& part, const std::string& path) {
  PictureInput picture;
  read_picture_options(Fields(part, path), picture);
  const std::string key = source_key(part, {"image_url", "image", "input_image"});
  picture.param = path + "." + (key.empty() ? "image_url" : key);
  const bool named = !picture.uuid.empty();
  if (key.empty()) {
    if (part.contains("file_id")) unsupported(path + ".file_id", "this server stores no files");
    if (!named) missing_required(path + "." + (part.value("type", "") == "image" ? "image" : "image_url"));
    return picture;
  }
  Json& source = part[key];
  if (named && (source.is_null() || (source.is_object() && !Fields(source).has("url")))) return picture;
  if (source.is_object()) read_picture_options(Fields(source, picture.param), picture);
  picture.source = take_source(source, picture.param, "a string or {\"url\": string}");
  return picture;
}

VideoInput read_video_part(Json& part, const std::string& path, size_t max_frames) {
  VideoInput video;
  read_video_options(Fields(part, path), video);
  const std::string key = source_key(part, {"video_url", "video", "input_video"});
  if (key.empty()) missing_required(path + "." + (part.value("type", "") == "video" ? "video" : "video_url"));
  video.param = path + "." + key;
  Json& source = part[key];
  if (source.is_object()) read_video_options(Fields(source, video.param), video);
  if (source.is_array()) {
    video.frames = take_frames(source, video.param, max_frames);
  } else {
    const std::string text = take_source(source, video.param, "an array of pictures, a string or {\"url\": string}");
    video.frames = split_video_frames(text, max_frames, video.param);
  }
  return video;
}

void read_media_kwargs(const Json& request, ChatInput& input) {
  const Fields fields(request);
  MediaKwargs kwargs;
  std::optional<double> source_fps;
  if (const Json* processor = fields.object("mm_processor_kwargs")) kwargs = read_processor_kwargs(*processor);
  if (const Json* io = fields.object("media_io_kwargs")) read_io_kwargs(*io, kwargs, source_fps);
  for (PictureInput& picture : input.pictures) {
    if (picture.min_pixels || picture.max_pixels) continue;
    picture.min_pixels = kwargs.min_pixels;
    picture.max_pixels = kwargs.max_pixels;
  }
  for (VideoInput& video : input.videos) {
    if (source_fps) video.fps = *source_fps;
    if (!video.num_frames) {
      video.sample_fps = kwargs.fps;
      video.num_frames = kwargs.num_frames;
    }
    if (video.min_pixels || video.max_pixels || video.max_total_pixels) continue;
    video.min_total_pixels = kwargs.min_pixels;
    video.max_total_pixels = kwargs.max_pixels;
  }
}

}  // namespace qvl
