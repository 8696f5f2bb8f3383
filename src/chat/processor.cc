#include "chat/processor.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "chat/media_source.h"

namespace qvl {
namespace {

constexpr int64_t kLowTokens = 256, kHighTokens = 1024;

void check_abandoned(const std::atomic<bool>* abandoned) {
  if (abandoned && abandoned->load(std::memory_order_relaxed)) {
    throw Error(ErrorKind::kInternal, "abandoned", "the client has left");
  }
}

struct Pending {
  std::vector<std::byte> bytes;
  PixelLimits limits;
  Sha256 key{};
};

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

std::vector<Pending> load_pictures(const ServedModel& model, const ChatInput& input,
                                   const std::atomic<bool>* abandoned) {
  const ImageLimits image_limits;
  const int factor = model.processor.factor();
  const int64_t context = model.engine->context_tokens();
  int64_t tokens = 0;
  std::vector<Pending> pictures;
  for (const PictureInput& picture : input.pictures) {
    check_abandoned(abandoned);
    Pending& pending = pictures.emplace_back();
    with_param(picture.param, [&] {
      pending.limits = picture_limits(model.processor, picture);
      pending.bytes = decode_media_source(picture.source, image_limits.max_bytes, picture.param);
      pending.key = sha256(pending.bytes);
      // Sizes come from the headers: a prompt that cannot fit costs no decoding.
      const ImageInfo info = probe_image(pending.bytes, image_limits);
      const Size size = smart_resize(info.height, info.width, factor, pending.limits);
      tokens += int64_t{size.height / factor} * (size.width / factor);
    });
    if (tokens > context) {
      throw Error(ErrorKind::kInvalidRequest, "context_length_exceeded",
                  fmt::format("the pictures alone have at least {} tokens, the context holds {}; send fewer or smaller "
                              "ones, or \"detail\": \"low\"",
                              tokens, context),
                  picture.param);
    }
  }
  return pictures;
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

Prompt make_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned) {
  std::vector<Pending> pictures = load_pictures(model, input, abandoned);
  // The same picture many times is decoded once and shared.
  using Key = std::pair<Sha256, std::pair<int64_t, int64_t>>;
  std::map<Key, MediaItem> known;
  std::vector<MediaItem> media;
  for (size_t i = 0; i < pictures.size(); ++i) {
    check_abandoned(abandoned);
    const Pending& pending = pictures[i];
    const Key key{pending.key, {pending.limits.min_pixels, pending.limits.max_pixels}};
    auto found = known.find(key);
    if (found == known.end()) {
      MediaItem item = with_param(input.pictures[i].param, [&] {
        return make_media_item(process_image(decode_image(pending.bytes), model.processor, pending.limits));
      });
      found = known.emplace(key, std::move(item)).first;
    }
    media.push_back(found->second);
    pictures[i].bytes = {};
  }
  check_abandoned(abandoned);
  PromptOptions options;
  options.max_tokens = model.engine->context_tokens();
  options.longest_token_bytes = model.longest_token_bytes;
  return build_prompt(*model.tokenizer, model.config, model.template_kind, input.messages, input.tools, input.render,
                      media, options);
}

}  // namespace qvl
