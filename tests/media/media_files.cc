#include "tests/media/media_files.h"

#include <webp/encode.h>

#include <algorithm>
#include <array>

namespace qvl::test {

void put(Buffer& out, std::string_view text) { append(out, to_buffer(text)); }
void put8(Buffer& out, uint32_t v) { out.push_back(static_cast<std::byte>(v & 0xff)); }
void put16le(Buffer& out, uint32_t v) { put8(out, v), put8(out, v >> 8); }
void put32le(Buffer& out, uint32_t v) { put16le(out, v), put16le(out, v >> 16); }
void put16be(Buffer& out, uint32_t v) { put8(out, v >> 8), put8(out, v); }
void put32be(Buffer& out, uint32_t v) { put16be(out, v >> 16), put16be(out, v); }
void append(Buffer& out, const Buffer& more) {
  for (const std::byte b : more) out.push_back(b);  // insert() of a range sets off a false warning of GCC 12
}

namespace {

uint32_t crc32_of(const Buffer& data) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> t{};
    for (uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int k = 0; k < 8; ++k) t[i] = (t[i] & 1) != 0 ? 0xedb88320u ^ t[i] >> 1 : t[i] >> 1;
    }
    return t;
  }();
  uint32_t crc = 0xffffffffu;
  for (const std::byte b : data) crc = table[(crc ^ std::to_integer<uint32_t>(b)) & 0xff] ^ crc >> 8;
  return crc ^ 0xffffffffu;
}

uint32_t adler32_of(const Buffer& data) {
  uint32_t a = 1, b = 0;
  for (const std::byte x : data) {
    a = (a + std::to_integer<uint32_t>(x)) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

}  // namespace

Buffer png_chunk(std::string_view type, const Buffer& data) {
  Buffer body = to_buffer(type);
  append(body, data);
  Buffer out;
  put32be(out, static_cast<uint32_t>(data.size()));
  append(out, body);
  put32be(out, crc32_of(body));
  return out;
}

Buffer zlib_stored(const Buffer& data) {
  Buffer out;
  put8(out, 0x78), put8(out, 0x01);
  size_t pos = 0;
  do {
    const size_t n = std::min<size_t>(data.size() - pos, 65535);
    put8(out, pos + n == data.size() ? 1 : 0);
    put16le(out, static_cast<uint32_t>(n)), put16le(out, ~static_cast<uint32_t>(n) & 0xffff);
    out.insert(out.end(), data.begin() + static_cast<ptrdiff_t>(pos), data.begin() + static_cast<ptrdiff_t>(pos + n));
    pos += n;
  } while (pos < data.size());
  put32be(out, adler32_of(data));
  return out;
}

Buffer zlib_zeros(uint64_t count) {
  Buffer out;
  put8(out, 0x78), put8(out, 0x01);
  uint32_t held = 0;
  int bits = 0;
  const auto put_bits = [&](uint32_t value, int n) {  // least significant bit first
    held |= value << bits;
    bits += n;
    for (; bits >= 8; bits -= 8, held >>= 8) put8(out, held);
  };
  put_bits(0b011, 3);       // last block, fixed codes
  put_bits(0b00001100, 8);  // literal 0 is 00110000, first bit first
  // Length 258 (code 285, 11000101) at distance 1 (code 00000).
  for (uint64_t done = 1; done < count; done += 258) put_bits(0b0000010100011, 13);
  put_bits(0, 7);  // end of block
  put_bits(0, 8);
  put32be(out, 0);
  return out;
}

Buffer png_head(uint32_t width, uint32_t height, int depth, int color, int interlace) {
  Buffer ihdr;
  put32be(ihdr, width), put32be(ihdr, height);
  put8(ihdr, static_cast<uint32_t>(depth)), put8(ihdr, static_cast<uint32_t>(color));
  put8(ihdr, 0), put8(ihdr, 0), put8(ihdr, static_cast<uint32_t>(interlace));
  Buffer out = to_buffer("\x89PNG\r\n\x1a\n");
  append(out, png_chunk("IHDR", ihdr));
  return out;
}

Buffer make_png(const PngSpec& spec) {
  Buffer out = png_head(spec.width, spec.height, spec.depth, spec.color, spec.interlace);
  append(out, spec.before_pixels);
  append(out, png_chunk("IDAT", zlib_stored(spec.rows)));
  append(out, spec.after_pixels);
  append(out, png_chunk("IEND", {}));
  return out;
}

Buffer make_exif(uint32_t orientation, bool little_end, uint32_t next_directory) {
  const auto p16 = little_end ? put16le : put16be;
  const auto p32 = little_end ? put32le : put32be;
  Buffer out = to_buffer(little_end ? std::string_view("II*\0", 4) : std::string_view("MM\0*", 4));
  p32(out, 8);
  p16(out, 1);
  p16(out, 0x0112), p16(out, 3), p32(out, 1), p16(out, orientation), p16(out, 0);
  p32(out, next_directory);
  return out;
}

Buffer with_jpeg_exif(const Buffer& jpeg, const Buffer& exif) {
  Buffer out(jpeg.begin(), jpeg.begin() + 2);
  put16be(out, 0xffe1);
  put16be(out, static_cast<uint32_t>(exif.size() + 8));
  put(out, std::string_view("Exif\0\0", 6));
  append(out, exif);
  out.insert(out.end(), jpeg.begin() + 2, jpeg.end());
  return out;
}

Buffer gif_head(int width, int height, const std::vector<uint8_t>& palette_rgb) {
  Buffer out = to_buffer("GIF89a");
  put16le(out, static_cast<uint32_t>(width)), put16le(out, static_cast<uint32_t>(height));
  put8(out, 0xf6), put8(out, 0), put8(out, 0);  // a global palette of 128 colours
  for (size_t i = 0; i < 3 * 128; ++i) put8(out, i < palette_rgb.size() ? palette_rgb[i] : 0);
  return out;
}

Buffer gif_frame(const GifFrame& frame) {
  Buffer out;
  if (frame.transparent >= 0) {
    put(out, "\x21\xf9\x04");
    put8(out, 1), put16le(out, 0), put8(out, static_cast<uint32_t>(frame.transparent)), put8(out, 0);
  }
  put8(out, 0x2c);
  for (const int v : {frame.left, frame.top, frame.width, frame.height}) put16le(out, static_cast<uint32_t>(v));
  put8(out, 0);
  put8(out, 7);  // 7 bits a sample: codes stay 8 bits wide, a byte each, if the table is cleared in time
  std::vector<uint8_t> codes;
  for (size_t i = 0; i < frame.indices.size(); ++i) {
    if (i % 100 == 0) codes.push_back(128);
    codes.push_back(frame.indices[i]);
  }
  codes.push_back(129);
  for (size_t i = 0; i < codes.size(); i += 255) {
    const size_t n = std::min<size_t>(255, codes.size() - i);
    put8(out, static_cast<uint32_t>(n));
    for (size_t k = 0; k < n; ++k) put8(out, codes[i + k]);
  }
  put8(out, 0);
  return out;
}

Buffer make_bmp(const BmpSpec& spec) {
  Buffer out = to_buffer("BM");
  put32le(out, static_cast<uint32_t>(54 + spec.tables.size() + spec.pixels.size()));
  put32le(out, 0);
  put32le(out, static_cast<uint32_t>(54 + spec.tables.size()));
  put32le(out, 40);
  put32le(out, static_cast<uint32_t>(spec.width)), put32le(out, static_cast<uint32_t>(spec.height));
  put16le(out, 1), put16le(out, static_cast<uint32_t>(spec.bits)), put32le(out, spec.compression);
  put32le(out, 0), put32le(out, 0), put32le(out, 0), put32le(out, spec.colors), put32le(out, 0);
  append(out, spec.tables);
  append(out, spec.pixels);
  return out;
}

Buffer make_tiff(const TiffSpec& spec) {
  std::vector<std::array<uint32_t, 4>> entries = {{256, 4, 1, spec.width},
                                                  {257, 4, 1, spec.height},
                                                  {258, 3, 1, 8},
                                                  {259, 3, 1, spec.compression},
                                                  {262, 3, 1, spec.samples >= 3 ? 2u : 1u},
                                                  {273, 4, 1, 0},
                                                  {274, 3, 1, spec.orientation},
                                                  {277, 3, 1, spec.samples},
                                                  {278, 4, 1, spec.height},
                                                  {279, 4, 1, static_cast<uint32_t>(spec.pixels.size())},
                                                  {284, 3, 1, 1}};
  if (spec.extra_samples >= 0) entries.push_back({338, 3, 1, static_cast<uint32_t>(spec.extra_samples)});
  const uint32_t bits_at = static_cast<uint32_t>(8 + 2 + 12 * entries.size() + 4);
  const uint32_t pixels_at = bits_at + 2 * spec.samples;
  Buffer out = to_buffer(std::string_view("II*\0", 4));
  put32le(out, 8);
  put16le(out, static_cast<uint32_t>(entries.size()));
  for (auto& e : entries) {
    if (e[0] == 258 && spec.samples > 2) e[2] = spec.samples, e[3] = bits_at;
    if (e[0] == 258 && spec.samples == 2) e[2] = 2, e[3] = 8 | 8 << 16;
    if (e[0] == 273) e[3] = pixels_at;
    put16le(out, e[0]), put16le(out, e[1]), put32le(out, e[2]), put32le(out, e[3]);
  }
  put32le(out, 0);
  for (uint32_t i = 0; i < spec.samples; ++i) put16le(out, 8);
  append(out, spec.pixels);
  return out;
}

Buffer riff_chunk(std::string_view type, const Buffer& data) {
  Buffer out = to_buffer(type);
  put32le(out, static_cast<uint32_t>(data.size()));
  append(out, data);
  if (data.size() % 2 != 0) put8(out, 0);
  return out;
}

Buffer make_webp(const Buffer& chunks) {
  Buffer out = to_buffer("RIFF");
  put32le(out, static_cast<uint32_t>(chunks.size() + 4));
  put(out, "WEBP");
  append(out, chunks);
  return out;
}

Buffer webp_lossless(const std::vector<uint8_t>& rgba, int width, int height) {
  uint8_t* data = nullptr;
  const size_t size = WebPEncodeLosslessRGBA(rgba.data(), width, height, 4 * width, &data);
  Buffer out(size);
  if (size > 0) std::memcpy(out.data(), data, size);
  WebPFree(data);
  return out;
}

Buffer webp_extended_header(uint32_t flags, int width, int height) {
  Buffer out;
  put32le(out, flags);
  for (const int side : {width - 1, height - 1})
    put16le(out, static_cast<uint32_t>(side)), put8(out, static_cast<uint32_t>(side) >> 16);
  return riff_chunk("VP8X", out);
}

Buffer webp_animation_frame(const Buffer& webp_file, int x, int y, int width, int height) {
  Buffer out;
  for (const int v : {x / 2, y / 2, width - 1, height - 1})
    put16le(out, static_cast<uint32_t>(v)), put8(out, static_cast<uint32_t>(v) >> 16);
  put32le(out, 100);  // 24 bits of duration, no flags
  out.insert(out.end(), webp_file.begin() + 12, webp_file.end());
  return riff_chunk("ANMF", out);
}

}  // namespace qvl::test
