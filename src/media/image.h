// Pictures: bytes -> 8-bit RGB. Formats are sniffed, sizes checked from the header before anything is decoded.
// Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace qvl {

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

struct ImageLimits {
  size_t max_bytes = size_t{20} << 20;
  int64_t max_pixels = int64_t{64} * 1000 * 1000;
  int max_aspect_ratio = 200;
};

enum class AlphaMode {
  kWhite,  // blend over white: the product's default
  kDrop,   // ignore alpha, as transformers does: for parity
};

struct DecodeOptions {
  AlphaMode alpha = AlphaMode::kWhite;
  ImageLimits limits;
};

enum class ImageFormat { kJpeg, kPng, kWebp, kGif, kBmp, kTiff, kHeif };

struct ImageInfo {
  ImageFormat format;
  int width, height;  // as shown: after EXIF rotation
};

// Errors (kInvalidRequest unless said): "image_empty", "image_format_unknown", "image_format_unsupported" (415 for
// formats we know and do not read), "image_too_large" (bytes or pixels), "image_aspect_ratio", "image_decode_failed".
ImageInfo probe_image(std::span<const std::byte> bytes, const ImageLimits& limits = {});
Image decode_image(std::span<const std::byte> bytes, const DecodeOptions& options = {});

}  // namespace qvl
