// The front door of picture decoding: sniff, check, hand to the codec of the format, turn upright.
#include "media/image.h"

#include <algorithm>
#include <utility>

#include "media/codec.h"
#include "media/exif.h"
#include "media/sniff.h"

namespace qvl {
namespace media {

void check_dimensions(int64_t width, int64_t height, const ImageLimits& limits) {
  if (width <= 0 || height <= 0)
    throw_error(ErrorKind::kInvalidRequest, "image_decode_failed",
                "the picture's header says {}x{} pixels, expected at least 1x1", width, height);
  const int64_t shorter = std::min(width, height), longer = std::max(width, height);
  if (longer > INT32_MAX || longer > limits.max_pixels / shorter)
    throw_error(ErrorKind::kInvalidRequest, "image_too_large", "the picture has {}x{} pixels, the limit is {} in all",
                width, height, limits.max_pixels);
  if (longer > limits.max_aspect_ratio * shorter)
    throw_error(ErrorKind::kInvalidRequest, "image_aspect_ratio",
                "the picture has {}x{} pixels: one side is more than {} times the other", width, height,
                limits.max_aspect_ratio);
}

void decode_failed(std::string_view format, std::string_view reason) {
  throw_error(ErrorKind::kInvalidRequest, "image_decode_failed", "the {} picture cannot be decoded: {}", format,
              reason);
}

void variety_unsupported(std::string_view format, std::string_view variety) {
  throw_error(ErrorKind::kInvalidRequest, "image_format_unsupported", "{} is a variety of {} that cannot be read here",
              variety, format);
}

void flatten_rgba(const uint8_t* rgba, uint8_t* rgb, size_t pixels, AlphaMode mode) {
  if (mode == AlphaMode::kDrop) {
    for (size_t i = 0; i < pixels; ++i)
      for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = rgba[4 * i + c];
    return;
  }
  for (size_t i = 0; i < pixels; ++i)
    for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = over_white(rgba[4 * i + c], rgba[4 * i + 3]);
}

namespace {

ImageFormat check_format(Bytes bytes, const ImageLimits& limits) {
  if (bytes.empty()) throw_error(ErrorKind::kInvalidRequest, "image_empty", "the picture has no bytes");
  if (bytes.size() > limits.max_bytes)
    throw_error(ErrorKind::kInvalidRequest, "image_too_large", "the picture has {} bytes, the limit is {}",
                bytes.size(), limits.max_bytes);
  const Sniffed found = sniff(bytes);
  if (found.format) return *found.format;
  if (!found.known_as.empty())
    throw_error(ErrorKind::kUnsupportedMedia, "image_format_unsupported",
                "{} cannot be read as a picture; send JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF", found.known_as);
  throw_error(ErrorKind::kInvalidRequest, "image_format_unknown",
              "the bytes are no picture of a known format; send JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC or AVIF");
}

Raster read(ImageFormat format, Bytes bytes, const DecodeOptions& options, Depth depth) {
  switch (format) {
    case ImageFormat::kJpeg:
      return read_jpeg(bytes, options, depth);
    case ImageFormat::kPng:
      return read_png(bytes, options, depth);
    case ImageFormat::kWebp:
      return read_webp(bytes, options, depth);
    case ImageFormat::kGif:
      return read_gif(bytes, options, depth);
    case ImageFormat::kBmp:
      return read_bmp(bytes, options, depth);
    case ImageFormat::kTiff:
      return read_tiff(bytes, options, depth);
    case ImageFormat::kHeif:
      return read_heif(bytes, options, depth);
  }
  decode_failed("unknown", "no decoder");
}

}  // namespace
}  // namespace media

ImageInfo probe_image(std::span<const std::byte> bytes, const ImageLimits& limits) {
  const ImageFormat format = media::check_format(bytes, limits);
  DecodeOptions options;
  options.limits = limits;
  const media::Raster header = media::read(format, bytes, options, media::Depth::kHeader);
  if (header.orientation >= 5) return {format, header.height, header.width};
  return {format, header.width, header.height};
}

Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options) {
  const ImageFormat format = media::check_format(bytes, options.limits);
  return media::upright(media::read(format, bytes, options, media::Depth::kPixels));
}

}  // namespace qvl
