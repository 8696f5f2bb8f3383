#include "app/local_request.h"

#include <openssl/evp.h>

#include "base/error.h"
#include "base/file.h"
#include "media/data_uri.h"

namespace qvl {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void bad(const std::string& message) { throw Error(ErrorKind::kInvalidRequest, "invalid_value", message); }

std::vector<std::byte> bytes_of(const std::string& url, const fs::path& root) {
  if (url.rfind("data:", 0) == 0) return decode_data_uri(url, ImageLimits{}.max_bytes);
  const std::string text = read_file(root / url, ErrorKind::kInvalidRequest, "file_missing");
  const auto* const begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

std::string part_url(const Json& part, const std::string& key) {
  const Json& value = part.at(key);
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.contains("url") && value["url"].is_string()) return value["url"].get<std::string>();
  bad(key + ": expected a string or an object with \"url\"");
}

LocalVisual load_picture(const std::string& url, const fs::path& root, const ProcessorConfig& processor, AlphaMode alpha) {
  LocalVisual visual;
  visual.url = url;
  visual.frames = {decode_image(bytes_of(url, root), {.alpha = alpha, .limits = {}})};
  visual.resized.resize(1);
  Patches patches = process_image(visual.frames[0], processor, processor.image, &visual.resized[0]);
  visual.grid = patches.grid;
  visual.item = make_media_item(std::move(patches));
  return visual;
}

LocalVisual load_video(const std::string& url, const fs::path& root, const ProcessorConfig& processor) {
  const fs::path index = root / "media/videos.json";
  const Json videos = parse_json(read_file(index, ErrorKind::kInvalidRequest, "file_missing"), index.string(),
                                 ErrorKind::kInvalidRequest, "invalid_json");
  const std::string name = fs::path(url).filename().string();
  if (!videos.contains(name)) bad(fmt::format("{}: no entry for the video {}", index.string(), printable(name)));
  LocalVisual visual;
  visual.is_video = true;
  visual.url = url;
  visual.sampling = sample_frames(videos[name].at("total_num_frames").get<int>(), videos[name].at("fps").get<double>(),
                                  processor.fps, processor.min_frames, processor.max_frames);
  for (const int frame : visual.sampling.indices) {
    const fs::path file = root / "media/frames" / fs::path(name).stem() / fmt::format("{:04}.png", frame);
    visual.frames.push_back(decode_image(bytes_of(file.string(), ""), {.alpha = AlphaMode::kDrop, .limits = {}}));
  }
  Patches patches = process_video(visual.frames, processor, processor.video, &visual.resized);
  visual.grid = patches.grid;
  visual.item = make_media_item(std::move(patches), visual.sampling);
  return visual;
}

// Replaces a media part by what the template knows and loads what it names.
void load_part(Json& part, const fs::path& root, const ProcessorConfig& processor, AlphaMode alpha, LocalRequest& request) {
  if (!part.is_object()) return;
  for (const char* key : {"image_url", "image"}) {
    if (!part.contains(key)) continue;
    request.visuals.push_back(load_picture(part_url(part, key), root, processor, alpha));
    part = Json{{"type", "image"}};
    return;
  }
  for (const char* key : {"video_url", "video"}) {
    if (!part.contains(key)) continue;
    request.visuals.push_back(load_video(part_url(part, key), root, processor));
    part = Json{{"type", "video"}};
    return;
  }
}

}  // namespace

fs::path find_media_root(const Json& file, const fs::path& messages_file) {
  const Json messages = file.is_object() ? file.value("messages", Json::array()) : file;
  std::string first;
  for (const auto& message : messages) {
    if (!message.is_object() || !message.contains("content") || !message["content"].is_array()) continue;
    for (const auto& part : message["content"]) {
      for (const char* key : {"image_url", "image", "video_url", "video"}) {
        if (!first.empty() || !part.is_object() || !part.contains(key)) continue;
        const std::string url = part_url(part, key);
        if (url.rfind("data:", 0) != 0) first = url;
      }
    }
  }
  std::error_code ignored;
  const fs::path start = fs::absolute(messages_file, ignored).parent_path();
  if (first.empty()) return start;
  constexpr int kLevels = 4;
  fs::path folder = start;
  for (int level = 0; level < kLevels; ++level, folder = folder.parent_path()) {
    if (fs::exists(folder / first, ignored)) return folder;
  }
  return fs::exists(first, ignored) ? fs::current_path(ignored) : start;
}

std::vector<MediaItem> LocalRequest::items() const {
  std::vector<MediaItem> out;
  for (const auto& visual : visuals) out.push_back(visual.item);
  return out;
}

PictureInput read_picture(const fs::path& file) {
  const std::string bytes = read_file(file, ErrorKind::kInvalidRequest, "file_missing", ImageLimits{}.max_bytes);
  std::string source((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(source.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  source.resize(static_cast<size_t>(length));
  return {.source = std::move(source), .param = file.string()};
}

LocalRequest load_local_request(const Json& file, const fs::path& root, const ProcessorConfig& processor, AlphaMode alpha) {
  LocalRequest request;
  if (file.is_array()) {
    request.messages = file;
  } else if (file.is_object() && file.contains("messages")) {
    request.messages = file["messages"];
    if (file.contains("tools")) request.tools = file["tools"];
    if (file.contains("template_kwargs")) request.render.add_vision_id = file["template_kwargs"].value("add_vision_id", false);
  }
  if (!request.messages.is_array() || request.messages.empty()) bad("expected a JSON array of messages, or an object with one");
  for (auto& message : request.messages) {
    if (!message.is_object() || !message.contains("content") || !message["content"].is_array()) continue;
    for (auto& part : message["content"]) load_part(part, root, processor, alpha, request);
  }
  return request;
}

Prompt build_local_prompt(const LoadedModel& model, const LocalRequest& request, bool keep_video_wrapper) {
  return build_prompt(*model.tokenizer, model.config, model.template_kind, request.messages, request.tools, request.render,
                      request.items(), {.keep_video_wrapper = keep_video_wrapper});
}

}  // namespace qvl
