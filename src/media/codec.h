// What the picture codecs share; internal to src/media. A codec turns the bytes of one format into RGB as stored in the
// file; image.cc owns sniffing and rotation. Codecs keep no state and may run on many threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "media/image.h"

namespace qvl::media {

using Bytes = std::span<const std::byte>;

// A picture as its file stores it: before the rotation that `orientation` asks for.
struct Raster {
  int width = 0, height = 0;
  int orientation = 1;       // EXIF's 1..8
  std::vector<uint8_t> rgb;  // [height, width, 3]; empty where only the header was asked for
};

enum class Depth { kHeader, kPixels };

// Each calls check_dimensions() before it allocates anything that grows with the picture.
// Errors: as decode_image.
Raster read_jpeg(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_png(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_webp(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_gif(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_bmp(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_tiff(Bytes bytes, const DecodeOptions& options, Depth depth);
Raster read_heif(Bytes bytes, const DecodeOptions& options, Depth depth);

// Sides of a header. Errors: "image_decode_failed" for a side of 0, "image_too_large", "image_aspect_ratio".
void check_dimensions(int64_t width, int64_t height, const ImageLimits& limits);

// kInvalidRequest "image_decode_failed": "the JPEG picture cannot be decoded: REASON". The reasons are ours: what the
// libraries say may name addresses.
[[noreturn]] void decode_failed(std::string_view format, std::string_view reason);
// kInvalidRequest "image_format_unsupported": a format that we read, in a variety that we do not.
[[noreturn]] void variety_unsupported(std::string_view format, std::string_view variety);

// Pillow's rounding division of a * b by 255; exact for a or b of 0 and 255.
inline uint8_t mul_div_255(uint32_t a, uint32_t b) {
  const uint32_t t = a * b + 128;
  return static_cast<uint8_t>(((t >> 8) + t) >> 8);
}
// A straight (not premultiplied) sample over white.
inline uint8_t over_white(uint8_t sample, uint8_t alpha) {
  return static_cast<uint8_t>(255 - mul_div_255(255u - sample, alpha));
}
// [pixels, 4] -> [pixels, 3].
void flatten_rgba(const uint8_t* rgba, uint8_t* rgb, size_t pixels, AlphaMode mode);

inline uint32_t u8_at(Bytes b, size_t i) { return std::to_integer<uint32_t>(b[i]); }
inline uint32_t be32_at(Bytes b, size_t i) {
  return u8_at(b, i) << 24 | u8_at(b, i + 1) << 16 | u8_at(b, i + 2) << 8 | u8_at(b, i + 3);
}
inline uint32_t le16_at(Bytes b, size_t i) { return u8_at(b, i) | u8_at(b, i + 1) << 8; }
inline uint32_t le32_at(Bytes b, size_t i) { return le16_at(b, i) | le16_at(b, i + 2) << 16; }

}  // namespace qvl::media
