// Reference pictures and tables for the media tests, and hand-made files of the formats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "media/image.h"

namespace qvl::test {

using Buffer = std::vector<std::byte>;

inline std::filesystem::path data_folder() {
  return std::filesystem::path(QVL_SOURCE_DIR) / "tests" / "data" / "media";
}

inline Buffer to_buffer(std::string_view text) {
  Buffer out(text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return out;
}
inline std::string read_text(const std::string& name) {
  return read_file(data_folder() / name, ErrorKind::kInternal, "test_data");
}
inline Buffer read_bytes(const std::string& name) { return to_buffer(read_text(name)); }
inline Json read_json(const std::string& name) {
  return parse_json(read_text(name), name, ErrorKind::kInternal, "test_data");
}
template <typename T>
std::string sha256_of(const std::vector<T>& values) {
  return hex(sha256(std::as_bytes(std::span(values))));
}

// ---- bytes, little and big end first
void put(Buffer& out, std::string_view text);
void put8(Buffer& out, uint32_t v);
void put16le(Buffer& out, uint32_t v);
void put32le(Buffer& out, uint32_t v);
void put16be(Buffer& out, uint32_t v);
void put32be(Buffer& out, uint32_t v);
void append(Buffer& out, const Buffer& more);

// ---- PNG
struct PngSpec {
  uint32_t width = 1, height = 1;
  int depth = 8, color = 2, interlace = 0;
  Buffer rows = {};           // packed samples, every row led by its filter byte
  Buffer before_pixels = {};  // whole chunks between IHDR and IDAT
  Buffer after_pixels = {};
};
Buffer png_chunk(std::string_view type, const Buffer& data);
Buffer zlib_stored(const Buffer& data);  // a zlib stream without compression
Buffer zlib_zeros(uint64_t count);       // a zlib stream (without a valid checksum) that inflates to many zeros
Buffer png_head(uint32_t width, uint32_t height, int depth, int color, int interlace = 0);  // signature and IHDR
Buffer make_png(const PngSpec& spec);

// ---- EXIF: a TIFF block of one directory with one orientation entry
Buffer make_exif(uint32_t orientation, bool little_end = true, uint32_t next_directory = 0);
Buffer with_jpeg_exif(const Buffer& jpeg, const Buffer& exif);  // as APP1 after SOI

// ---- GIF
struct GifFrame {
  int left = 0, top = 0, width = 1, height = 1;
  std::vector<uint8_t> indices = {};
  int transparent = -1;
};
Buffer gif_head(int width, int height, const std::vector<uint8_t>& palette_rgb);  // palette of at most 128 colours
Buffer gif_frame(const GifFrame& frame);

// ---- BMP: file header + 40-byte header + what follows
struct BmpSpec {
  int32_t width = 1, height = 1;
  int bits = 24;
  uint32_t compression = 0, colors = 0;
  Buffer tables = {};  // masks and palette
  Buffer pixels = {};
};
Buffer make_bmp(const BmpSpec& spec);

// ---- TIFF: uncompressed, one strip, 8-bit samples
struct TiffSpec {
  uint32_t width = 1, height = 1, samples = 3, orientation = 1, compression = 1;
  int extra_samples = -1;  // 1 associated alpha, 2 unassociated
  Buffer pixels = {};
};
Buffer make_tiff(const TiffSpec& spec);

// ---- WebP
Buffer riff_chunk(std::string_view type, const Buffer& data);
Buffer make_webp(const Buffer& chunks);
Buffer webp_lossless(const std::vector<uint8_t>& rgba, int width, int height);  // by libwebp
Buffer webp_extended_header(uint32_t flags, int width, int height);             // a VP8X chunk
Buffer webp_animation_frame(const Buffer& webp_file, int x, int y, int width, int height);

}  // namespace qvl::test
