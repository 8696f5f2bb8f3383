// The pictures and videos of a request -> MediaItems. First sources and headers: what they cost is known before
// anything is decoded. One thread; nothing is shared but the model.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <utility>
#include <vector>

#include "chat/picture_memory.h"
#include "chat/processor.h"

namespace qvl {

class MediaLoader {
 public:
  // Reads the sources of `input` and the headers of what they hold, in the order of the messages' parts.
  // most_tokens: where given, in the place of the context. Errors: media_source.h, media/image.h, override_limits(), "unknown_picture", "context_length_exceeded",
  // "invalid_value" for frames of different sizes; param names the part.
  MediaLoader(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned,
              std::optional<int64_t> most_tokens = std::nullopt);

  // The sizes alone: items without patches.
  std::vector<MediaItem> sizes() const;
  // Decodes, resizes, cuts into patches; once. The same picture many times is decoded once and shared; one whose features
  // the engine knows comes without patches, unless decode_known.
  std::vector<MediaItem> decode(bool decode_known = false);

 private:
  struct Pending {
    std::vector<PictureBytes> frames;  // one: a picture, where there is no sampling
    Size size{};                       // of each, after resizing
    Grid grid;
    std::optional<FrameSampling> video;
    std::string param;
    bool named = false;  // with a uuid
  };

  void add(const PictureInput& picture);
  void add(const VideoInput& video);
  void add_pending(Pending pending);
  PictureBytes read(const std::string& source, const std::string& param) const;
  Patches patches(const Pending& pending) const;
  void check_abandoned() const;

  const ServedModel& model_;
  const std::atomic<bool>* abandoned_;
  std::vector<Pending> pending_;
  const int64_t most_tokens_;
  int64_t tokens_ = 0;
};

// The limits of a video of that many frames, over all of them.
PixelLimits video_limits(const ProcessorConfig& processor, const VideoInput& video, int frames);

}  // namespace qvl
