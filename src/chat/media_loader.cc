#include "chat/media_loader.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "chat/media_source.h"

namespace qvl {
namespace {

constexpr int64_t kLowTokens = 256, kHighTokens = 1024;

// Errors of a picture name the part of the request it came in.
template <typename Work>
auto with_param(const std::string& param, const Work& work) {
  try {
    return work();
  } catch (Error& error) {
    if (error.param.empty()) error.param = param;
    throw;
  }
}

bool is_part(const Json& part, const char* type) { return part.is_object() && part.value("type", "") == type; }

// Names what the patches will be before they are there: by the encoded bytes and the size. The text in front changes with
// what decoding and resizing give, for the engine keeps features on disk.
Sha256 content_hash(const std::vector<PictureBytes>& frames, const Grid& grid) {
  std::string all = fmt::format("patches 1: {} {} {}:", grid.t, grid.h, grid.w);
  for (const PictureBytes& frame : frames) {
    const Sha256 one = sha256(*frame);
    all.append(reinterpret_cast<const char*>(one.data()), one.size());
  }
  return sha256(std::as_bytes(std::span(all)));
}

}  // namespace

PixelLimits picture_limits(const ProcessorConfig& processor, const PictureInput& picture) {
  const int64_t token_px = int64_t{processor.factor()} * processor.factor();
  PixelLimits limits = processor.image;
  if (picture.detail == Detail::kLow) limits.max_pixels = std::min(limits.max_pixels, kLowTokens * token_px);
  if (picture.detail == Detail::kHigh) limits.min_pixels = std::max(limits.min_pixels, kHighTokens * token_px);
  limits.min_pixels = std::min(limits.min_pixels, limits.max_pixels);
  limits = override_limits(limits, picture.min_pixels, picture.max_pixels);
  limits.max_pixels = std::min(limits.max_pixels, processor.pixel_budget);
  limits.min_pixels = std::min(limits.min_pixels, limits.max_pixels);
  return limits;
}

PixelLimits video_limits(const ProcessorConfig& processor, const VideoInput& video, int frames) {
  PixelLimits limits = override_limits(processor.video, video.min_total_pixels, video.max_total_pixels);
  if (video.max_pixels) limits.max_pixels = *video.max_pixels * frames;
  if (video.min_pixels) limits.min_pixels = *video.min_pixels * frames;
  // Two frames become one row of patches: a video of twice the pixels costs what a picture costs.
  limits.max_pixels = std::min(limits.max_pixels, processor.pixel_budget * processor.temporal_patch_size);
  limits.min_pixels = std::min(limits.min_pixels, limits.max_pixels);
  return limits;
}

MediaLoader::MediaLoader(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned,
                         std::optional<int64_t> most_tokens)
    : model_(model), abandoned_(abandoned), most_tokens_(most_tokens.value_or(model.engine->context_tokens())) {
  check_abandoned();
  size_t pictures = 0, videos = 0;
  for (const Json& message : input.messages) {
    const auto content = message.find("content");
    if (content == message.end() || !content->is_array()) continue;
    for (const Json& part : *content) {
      if (is_part(part, "image") && pictures < input.pictures.size()) add(input.pictures[pictures++]);
      if (is_part(part, "video") && videos < input.videos.size()) add(input.videos[videos++]);
    }
  }
  if (pictures != input.pictures.size() || videos != input.videos.size()) {
    throw Error(ErrorKind::kInvalidRequest, "invalid_value", "pictures or videos were sent that no message shows",
                "messages");
  }
}

void MediaLoader::check_abandoned() const {
  if (abandoned_ && abandoned_->load(std::memory_order_relaxed)) {
    throw Error(ErrorKind::kInternal, "abandoned", "the client has left");
  }
}

PictureBytes MediaLoader::read(const std::string& source, const std::string& param) const {
  return std::make_shared<const std::vector<std::byte>>(decode_media_source(source, ImageLimits{}.max_bytes, param, model_.media, abandoned_));
}

void MediaLoader::add(const PictureInput& picture) {
  check_abandoned();
  Pending pending;
  pending.param = picture.param;
  pending.named = !picture.uuid.empty();
  with_param(picture.param, [&] {
    const int factor = model_.processor.factor();
    const PixelLimits limits = picture_limits(model_.processor, picture);
    PictureBytes bytes;
    if (picture.source.empty() && !picture.uuid.empty()) {
      bytes = model_.remembered->find(picture.uuid);
      if (!bytes) {
        throw Error(
            ErrorKind::kInvalidRequest, "unknown_picture",
            fmt::format("no picture with the uuid \"{}\" is remembered; send it again", printable(picture.uuid)),
            picture.param);
      }
    } else {
      bytes = read(picture.source, picture.param);
    }
    const ImageInfo info = probe_image(*bytes);
    const auto [height, width] = picture.resized.value_or(std::pair{info.height, info.width});
    pending.size = smart_resize(height, width, factor, limits);
    if (!picture.uuid.empty() && !picture.source.empty()) model_.remembered->remember(picture.uuid, bytes);
    pending.frames.push_back(std::move(bytes));
  });
  add_pending(std::move(pending));
}

void MediaLoader::add(const VideoInput& video) {
  check_abandoned();
  Pending pending;
  pending.param = video.param;
  with_param(video.param, [&] {
    const ProcessorConfig& config = model_.processor;
    const auto total = static_cast<int>(video.frames.size());
    if (video.num_frames) {
      pending.video = sample_num_frames(total, video.fps, static_cast<int>(*video.num_frames));
    } else if (video.sample_fps) {
      pending.video = sample_frames(total, video.fps, *video.sample_fps, config.min_frames, config.max_frames);
    } else {
      std::vector<int> all(static_cast<size_t>(total));
      for (int i = 0; i < total; ++i) all[static_cast<size_t>(i)] = i;
      pending.video = frame_times(std::move(all), video.fps, config.temporal_patch_size);
    }
    std::optional<ImageInfo> first;
    for (const int index : pending.video->indices) {
      const std::string param = fmt::format("{}[{}]", video.param, index);
      with_param(param, [&] {
        pending.frames.push_back(read(video.frames[static_cast<size_t>(index)], param));
        const ImageInfo info = probe_image(*pending.frames.back());
        if (!first) first = info;
        if (info.width == first->width && info.height == first->height) return;
        throw Error(ErrorKind::kInvalidRequest, "invalid_value",
                    fmt::format("{}: expected {}x{} pixels as the frame before, found {}x{}", param, first->width,
                                first->height, info.width, info.height),
                    param);
      });
    }
    const auto frames = static_cast<int>(pending.frames.size());
    pending.size = smart_resize_video(frames, first->height, first->width, config.temporal_patch_size, config.factor(),
                                      video_limits(config, video, frames));
  });
  add_pending(std::move(pending));
}

void MediaLoader::add_pending(Pending pending) {
  const ProcessorConfig& config = model_.processor;
  const int temporal = config.temporal_patch_size;
  pending.grid = {(static_cast<int>(pending.frames.size()) + temporal - 1) / temporal,
                  pending.size.height / config.patch_size, pending.size.width / config.patch_size};
  tokens_ += pending.grid.patches() / (config.merge_size * config.merge_size);
  if (tokens_ > most_tokens_) {
    throw Error(ErrorKind::kInvalidRequest, "context_length_exceeded",
                fmt::format("the pictures alone have at least {} tokens, the context holds {}; send fewer or smaller "
                            "ones, or \"detail\": \"low\"",
                            tokens_, most_tokens_),
                pending.param);
  }
  pending_.push_back(std::move(pending));
}

std::vector<MediaItem> MediaLoader::sizes() const {
  std::vector<MediaItem> items;
  for (const Pending& pending : pending_) items.push_back({pending.grid, nullptr, {}, pending.video});
  return items;
}

Patches MediaLoader::patches(const Pending& pending) const {
  std::vector<Image> frames;
  for (const PictureBytes& bytes : pending.frames) {
    check_abandoned();
    frames.push_back(resize_bicubic(decode_image(*bytes), pending.size));
  }
  return patchify(frames, model_.processor);
}

std::vector<MediaItem> MediaLoader::decode(bool decode_known) {
  std::map<Sha256, MediaItem> known;
  std::vector<MediaItem> items;
  for (Pending& pending : pending_) {
    check_abandoned();
    const Sha256 hash = content_hash(pending.frames, pending.grid);
    auto found = known.find(hash);
    if (found == known.end()) {
      MediaItem item{pending.grid, nullptr, hash, std::nullopt};
      if (decode_known || !model_.engine->knows_visual(hash)) {
        item.patches = with_param(pending.param, [&] {
          return std::make_shared<const std::vector<float>>(patches(pending).values);
        });
      }
      found = known.emplace(hash, std::move(item)).first;
    }
    items.push_back(found->second);
    items.back().video = pending.video;
    items.back().pinned = pending.named;
    pending.frames.clear();
  }
  check_abandoned();
  return items;
}

}  // namespace qvl
