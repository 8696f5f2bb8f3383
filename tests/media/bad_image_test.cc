// Hostile pictures. Rows IMA-* of the table of bad inputs that concern decoding, each made here.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <functional>

#include "media/image.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;

// "ok", or "STATUS code".
std::string outcome(const Buffer& file, const DecodeOptions& options = {}) {
  try {
    const Image image = decode_image(file, options);
    EXPECT_EQ(image.rgb.size(), size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
    return "ok";
  } catch (const Error& e) {
    EXPECT_FALSE(std::string(e.what()).empty());
    EXPECT_EQ(std::string_view(e.what()).find('\n'), std::string_view::npos);
    return std::to_string(http_status(e.kind)) + " " + e.code;
  }
}

constexpr const char* kOk = "ok";
constexpr const char* kFailed = "400 image_decode_failed";
constexpr const char* kTooLarge = "400 image_too_large";
constexpr const char* kUnknown = "400 image_format_unknown";
constexpr const char* kVariety = "400 image_format_unsupported";
constexpr const char* kUnsupported = "415 image_format_unsupported";

Buffer cut(const Buffer& file, size_t size) {
  return Buffer(file.begin(), file.begin() + static_cast<ptrdiff_t>(size));
}

size_t find(const Buffer& file, std::string_view needle, size_t from = 0) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const size_t pos = text.find(needle, from);
  EXPECT_NE(pos, std::string_view::npos);
  return pos;
}

// Offset of the first JPEG segment with this marker.
size_t segment(const Buffer& jpeg, uint8_t marker) {
  const char needle[2] = {'\xff', static_cast<char>(marker)};
  return find(jpeg, std::string_view(needle, 2), 2);
}

Buffer with_byte(Buffer file, size_t at, uint32_t value) {
  file.at(at) = static_cast<std::byte>(value);
  return file;
}

// The frame header's precision is at +4, height at +5, width at +7.
Buffer jpeg_with_size(uint32_t width, uint32_t height) {
  Buffer f = read_bytes("portrait.jpg");
  const size_t sof = segment(f, 0xc0);
  f = with_byte(with_byte(f, sof + 5, height >> 8), sof + 6, height);
  return with_byte(with_byte(f, sof + 7, width >> 8), sof + 8, width);
}

// The first scan (of the DC coefficients) repeated: it is legal to send it again, and the pixels stay the same.
Buffer progressive_with_scans(size_t count) {
  const Buffer f = read_bytes("progressive.jpg");
  const size_t begin = segment(f, 0xda);
  size_t end = begin + 2;
  while (f[end] != std::byte{0xff} || f[end + 1] == std::byte{0}) ++end;
  const Buffer scan(f.begin() + static_cast<ptrdiff_t>(begin), f.begin() + static_cast<ptrdiff_t>(end));
  Buffer out = cut(f, end);
  for (size_t i = 0; i < count && out.size() < (size_t{19} << 20); ++i) append(out, scan);
  out.insert(out.end(), f.begin() + static_cast<ptrdiff_t>(end), f.end());
  return out;
}

Buffer white_png(uint32_t width, uint32_t height) {  // 1-bit grey
  PngSpec spec{.width = width, .height = height, .depth = 1, .color = 0};
  const size_t row_bytes = 1 + (size_t{width} + 7) / 8;
  spec.rows.assign(row_bytes * height, std::byte{0xff});
  for (size_t y = 0; y < height; ++y) spec.rows[y * row_bytes] = std::byte{0};
  return make_png(spec);
}

Buffer png_with_chunks(const Buffer& chunks) {
  PngSpec spec;
  spec.before_pixels = chunks;
  spec.rows = to_buffer(std::string_view("\0\1\2\3", 4));
  return make_png(spec);
}

Buffer bomb_chunk(const char* type) {
  Buffer data = to_buffer(std::string_view("name\0\0", 6));  // keyword, compression method
  if (std::string_view(type) == "iTXt") data = to_buffer(std::string_view("name\0\1\0\0\0", 9));
  append(data, zlib_zeros(uint64_t{256} << 20));
  return png_chunk(type, data);
}

Buffer webp_header(uint32_t width, uint32_t height) {
  Buffer data;
  put8(data, 0x2f);
  put32le(data, (width - 1) | (height - 1) << 14);
  data.resize(64);
  return make_webp(riff_chunk("VP8L", data));
}

Buffer gif_with(const Buffer& frames) {
  Buffer gif = gif_head(4, 4, {1, 2, 3, 4, 5, 6});
  append(gif, frames);
  put(gif, ";");
  return gif;
}

Buffer gif_of_frames(int count) {
  Buffer frames;
  for (int i = 0; i < count; ++i) append(frames, gif_frame({.width = 1, .height = 1, .indices = {1}}));
  return gif_with(frames);
}

Buffer tiny_chunks(const char* type, int count) {
  Buffer out;
  for (int i = 0; i < count; ++i) append(out, png_chunk(type, to_buffer("a")));
  return out;
}

struct Row {
  const char* id;
  std::function<Buffer()> make;
  const char* expected;  // "" for rows that allow success and failure alike
};

std::vector<Row> rows() {
  return {
      {"IMA-001 no bytes", [] { return Buffer{}; }, "400 image_empty"},
      {"IMA-007 zeros", [] { return Buffer(4096); }, kUnknown},
      {"IMA-008 HTML", [] { return to_buffer("<!doctype html><html><body><svg></svg></body></html>"); }, kUnknown},
      {"IMA-008 random text", [] { return to_buffer("P is a letter, BM are two"); }, kUnknown},
      {"IMA-012 PSD", [] { return to_buffer(std::string_view("8BPS\0\1\0\0\0\0\0\0\0\3", 14)); }, kUnsupported},
      {"IMA-012 PPM", [] { return to_buffer("P6\n1 1\n255\nabc"); }, kUnsupported},
      {"IMA-012 HDR", [] { return to_buffer("#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n"); }, kUnsupported},
      {"IMA-012 PIC", [] { return to_buffer("\x53\x80\xf6\x34 softimage"); }, kUnsupported},
      {"IMA-012 TGA",
       [] { return to_buffer(std::string_view("\0\0\2\0\0\0\0\0\0\0\0\0\2\0\2\0\x18\0abcabcabcabc", 30)); },
       kUnsupported},
      {"IMA-012 TGA footer",
       [] {
         Buffer b(64);
         put(b, std::string_view("TRUEVISION-XFILE.\0", 18));
         return b;
       },
       kUnsupported},
      {"IMA-013 JP2", [] { return to_buffer(std::string_view("\0\0\0\x0cjP  \r\n\x87\n", 12)); }, kUnsupported},
      {"IMA-013 J2K", [] { return to_buffer("\xff\x4f\xff\x51 codestream"); }, kUnsupported},
      {"IMA-013 JXL", [] { return to_buffer("\xff\x0a codestream"); }, kUnsupported},
      {"IMA-013 JXL box", [] { return to_buffer(std::string_view("\0\0\0\x0cJXL \r\n\x87\n", 12)); }, kUnsupported},
      {"SVG", [] { return to_buffer("<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='http://www.w3.org/2000/svg'/>"); },
       kUnsupported},
      {"ICO", [] { return to_buffer(std::string_view("\0\0\1\0\1\0\x10\x10", 8)); }, kUnsupported},
      {"MP4",
       [] {
         return to_buffer(
             std::string_view("\0\0\0\x18"
                              "ftypisom\0\0\2\0isomavc1",
                              24));
       },
       kUnsupported},
      {"IMA-015 PDF first",
       [] {
         Buffer b = to_buffer("%PDF-1.7\n");
         append(b, read_bytes("gray.jpg"));
         return b;
       },
       kUnsupported},
      {"IMA-015 JPEG first",
       [] {
         Buffer b = read_bytes("gray.jpg");
         put(b, "%PDF-1.7\n");
         return b;
       },
       kOk},
      {"IMA-017 bad CRC",
       [] {
         Buffer b = read_bytes("tiny.png");
         return with_byte(b, find(b, "IDAT") + 20, 0x5a);
       },
       kFailed},
      {"IMA-018 0x0", [] { return png_head(0, 0, 8, 2); }, kFailed},
      {"IMA-019 2^31-1 square", [] { return png_head(0x7fffffff, 0x7fffffff, 8, 2); }, kTooLarge},
      {"IMA-019 2^32-1 square", [] { return png_head(0xffffffff, 0xffffffff, 8, 2); }, kTooLarge},
      {"IMA-020 100000x100000",
       [] {
         Buffer b = png_head(100000, 100000, 8, 6);
         b.resize(50);
         return b;
       },
       kTooLarge},
      {"IMA-021 20000x20000 1-bit", [] { return png_head(20000, 20000, 1, 0); }, kTooLarge},
      {"IMA-022 at the limit", [] { return white_png(8000, 8000); }, kOk},
      {"IMA-023 limit + 1", [] { return png_head(64000001, 1, 8, 0); }, kTooLarge},
      {"IMA-023 limit + 1 row", [] { return white_png(8000, 8001); }, kTooLarge},
      {"IMA-025 palette without PLTE", [] { return make_png({.color = 3, .rows = Buffer(2)}); }, kFailed},
      {"IMA-026 palette index out of range",
       [] {
         return make_png({.color = 3, .rows = Buffer(2, std::byte{9}), .before_pixels = png_chunk("PLTE", Buffer(3))});
       },
       ""},
      {"IMA-026 ... with a valid filter",
       [] {
         return make_png({.width = 2,
                          .color = 3,
                          .rows = to_buffer(std::string_view("\0\x09\xff", 3)),
                          .before_pixels = png_chunk("PLTE", Buffer(3))});
       },
       kOk},
      {"IMA-028 IDAT too long", [] { return make_png({.rows = Buffer(4000)}); }, ""},
      {"IDAT too short", [] { return make_png({.width = 9, .height = 9, .rows = Buffer(40)}); }, kFailed},
      {"IMA-029 zTXt bomb", [] { return png_with_chunks(bomb_chunk("zTXt")); }, kOk},
      {"IMA-029 iTXt bomb", [] { return png_with_chunks(bomb_chunk("iTXt")); }, kOk},
      {"IMA-029 iCCP bomb", [] { return png_with_chunks(bomb_chunk("iCCP")); }, kOk},
      {"IMA-030 100,000 known chunks", [] { return png_with_chunks(tiny_chunks("tEXt", 100000)); }, kOk},
      {"IMA-030 100,000 unknown chunks", [] { return png_with_chunks(tiny_chunks("abCd", 100000)); }, kOk},
      {"IMA-032 APNG",
       [] {
         PngSpec spec{.rows = to_buffer(std::string_view("\0\1\2\3", 4))};
         spec.before_pixels = png_chunk("acTL", Buffer(8));
         for (int i = 0; i < 10000; ++i)
           append(spec.after_pixels, png_chunk("fcTL", Buffer(26))),
               append(spec.after_pixels, png_chunk("fdAT", Buffer(12)));
         return make_png(spec);
       },
       kOk},
      {"IMA-033 transparent", [] { return make_png({.width = 2, .color = 6, .rows = Buffer(9)}); }, kOk},
      {"IMA-034 JPEG 65535x65535", [] { return jpeg_with_size(65535, 65535); }, kTooLarge},
      {"IMA-034 JPEG 65500x65500", [] { return jpeg_with_size(65500, 65500); }, kTooLarge},
      {"IMA-035 JPEG height 0", [] { return jpeg_with_size(100, 0); }, kFailed},
      {"IMA-036 10,000 scans", [] { return progressive_with_scans(10000); }, kFailed},
      {"many scans within the cap", [] { return progressive_with_scans(100); }, kOk},
      {"IMA-037 arithmetic",
       [] {
         Buffer b = read_bytes("portrait.jpg");
         return with_byte(b, segment(b, 0xc0) + 1, 0xc9);
       },
       kVariety},
      {"lossless JPEG",
       [] {
         Buffer b = read_bytes("portrait.jpg");
         return with_byte(b, segment(b, 0xc0) + 1, 0xc3);
       },
       kVariety},
      {"IMA-038 12 bits",
       [] {
         Buffer b = read_bytes("portrait.jpg");
         return with_byte(b, segment(b, 0xc0) + 4, 12);
       },
       kVariety},
      {"IMA-039 CMYK", [] { return read_bytes("cmyk.jpg"); }, kOk},
      {"IMA-041 bad Huffman table",
       [] {
         Buffer b = read_bytes("portrait.jpg");
         return with_byte(b, segment(b, 0xc4) + 5, 0xff);
       },
       kFailed},
      {"IMA-042 RST chaos",
       [] {
         Buffer b = read_bytes("large.jpg");
         for (size_t i = segment(b, 0xda) + 200; i + 2 < b.size(); i += 997)
           b[i] = std::byte{0xff}, b[i + 1] = static_cast<std::byte>(0xd0 + i % 8);
         return b;
       },
       ""},
      {"IMA-044 orientation 0", [] { return with_jpeg_exif(read_bytes("gray.jpg"), make_exif(0)); }, kOk},
      {"IMA-044 orientation 9", [] { return with_jpeg_exif(read_bytes("gray.jpg"), make_exif(9)); }, kOk},
      {"IMA-044 orientation 65535", [] { return with_jpeg_exif(read_bytes("gray.jpg"), make_exif(65535)); }, kOk},
      {"IMA-045 EXIF loop", [] { return with_jpeg_exif(read_bytes("gray.jpg"), make_exif(1, true, 8)); }, kOk},
      {"EXIF directory outside",
       [] { return with_jpeg_exif(read_bytes("gray.jpg"), to_buffer(std::string_view("II*\0\xff\xff\xff\xff", 8))); },
       kOk},
      {"IMA-049 WebP 16383x16383", [] { return webp_header(16383, 16383); }, kTooLarge},
      {"WebP without data", [] { return webp_header(100, 100); }, kFailed},
      {"IMA-052 GIF without frames", [] { return gif_with({}); }, kFailed},
      {"GIF frame 0x5", [] { return gif_with(gif_frame({.width = 0, .height = 5})); }, kFailed},
      {"IMA-055 bad LZW code",
       [] {
         Buffer f = gif_frame({.width = 2, .height = 1, .indices = {1, 1}});
         return gif_with(with_byte(f, f.size() - 3, 0xf0));
       },
       kFailed},
      {"GIF with too few pixels",
       [] {
         return gif_with(gif_frame({.width = 4, .height = 4, .indices = {1, 1, 1}}));
       },
       kFailed},
      {"GIF 65535x65535",
       [] {
         Buffer b = gif_head(65535, 65535, {});
         append(b, gif_frame({.indices = {0}}));
         return b;
       },
       kTooLarge},
      {"IMA-056 100,000 frames", [] { return gif_of_frames(100000); }, kOk},
      {"IMA-058 BMP RLE bomb",
       [] {
         return make_bmp({.width = 1 << 30,
                          .height = 1 << 30,
                          .bits = 8,
                          .compression = 1,
                          .tables = Buffer(1024),
                          .pixels = Buffer(2)});
       },
       kTooLarge},
      {"BMP height -2^31", [] { return make_bmp({.width = 1, .height = INT32_MIN}); }, kTooLarge},
      {"BMP width -1", [] { return make_bmp({.width = -1, .height = 1}); }, kFailed},
      {"BMP RLE that never ends",
       [] {
         return make_bmp({.width = 8,
                          .height = 8,
                          .bits = 8,
                          .compression = 1,
                          .tables = Buffer(1024),
                          .pixels = Buffer(2, std::byte{1})});
       },
       kFailed},
      {"BMP RLE outside",
       [] {
         return make_bmp({.width = 2,
                          .height = 1,
                          .bits = 8,
                          .compression = 1,
                          .tables = Buffer(1024),
                          .pixels = to_buffer(std::string_view("\xff\0\0\1", 4))});
       },
       kFailed},
      {"BMP RLE delta outside",
       [] {
         return make_bmp({.width = 2,
                          .height = 1,
                          .bits = 8,
                          .compression = 1,
                          .tables = Buffer(1024),
                          .pixels = to_buffer(std::string_view("\0\2\xff\xff\1\1\0\1", 8))});
       },
       kFailed},
      {"BMP 300 colours",
       [] { return make_bmp({.bits = 8, .colors = 300, .tables = Buffer(1200), .pixels = Buffer(4)}); }, kFailed},
      {"BMP cut", [] { return make_bmp({.width = 2000, .height = 2000, .pixels = Buffer(100)}); }, kFailed},
      {"BMP with a JPEG", [] { return make_bmp({.bits = 24, .compression = 4, .pixels = Buffer(100)}); }, kVariety},
      {"BMP overlapping masks",
       [] {
         return make_bmp({.bits = 32, .compression = 3, .tables = Buffer(12, std::byte{255}), .pixels = Buffer(4)});
       },
       kFailed},
      {"TIFF too large", [] { return make_tiff({.width = 100000, .height = 100000}); }, kTooLarge},
      {"TIFF cut", [] { return make_tiff({.width = 500, .height = 500, .pixels = Buffer(50)}); }, kFailed},
      {"TIFF old JPEG", [] { return make_tiff({.compression = 6, .pixels = Buffer(50)}); }, kVariety},
      {"TIFF 65535 samples", [] { return make_tiff({.samples = 65535, .pixels = Buffer(50)}); }, kVariety},
      {"TIFF directory outside", [] { return to_buffer(std::string_view("II*\0\xff\xff\xff\x7f", 8)); }, kFailed},
      {"AVIF without boxes",
       [] {
         return to_buffer(
             std::string_view("\0\0\0\x18"
                              "ftypavif\0\0\0\0avifmif1",
                              24));
       },
       kFailed},
      {"IMA-060 2x2", [] { return white_png(2, 2); }, kOk},
      {"IMA-061 30x305", [] { return white_png(30, 305); }, kOk},
      {"IMA-063 1x200", [] { return white_png(1, 200); }, kOk},
      {"IMA-064 1x201", [] { return white_png(1, 201); }, "400 image_aspect_ratio"},
      {"IMA-064 201x1", [] { return white_png(201, 1); }, "400 image_aspect_ratio"},
  };
}

TEST(BadImages, EveryRow) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.id);
    const Buffer file = row.make();
    const auto begin = std::chrono::steady_clock::now();
    const std::string got = outcome(file);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    if (*row.expected != '\0') {
      EXPECT_EQ(got, row.expected);
    } else {
      EXPECT_TRUE(got == kOk || got == kFailed) << got;
    }
#ifndef __SANITIZE_ADDRESS__
    EXPECT_LT(seconds.count(), 2.0);
#endif
  }
}

TEST(BadImages, TheScanCapIsWhatRefuses) {
  try {
    decode_image(progressive_with_scans(600));
    FAIL() << "600 scans were decoded";
  } catch (const Error& e) {
    EXPECT_NE(std::string_view(e.what()).find("too many scans"), std::string_view::npos) << e.what();
  }
  EXPECT_EQ(decode_image(progressive_with_scans(100)).rgb, decode_image(read_bytes("progressive.jpg")).rgb);
}

TEST(BadImages, OrientationOutsideItsRangeIsIgnored) {
  const Image plain = decode_image(read_bytes("gray.jpg"));
  for (const uint32_t o : {0u, 9u, 65535u})
    EXPECT_EQ(decode_image(with_jpeg_exif(read_bytes("gray.jpg"), make_exif(o))).rgb, plain.rgb);
}

TEST(BadImages, TransparentPictureIsWhite) {
  const Image image = decode_image(make_png({.width = 2, .color = 6, .rows = Buffer(9)}));
  EXPECT_EQ(image.rgb, std::vector<uint8_t>(6, 255));
}

TEST(BadImages, TooManyBytes) {
  DecodeOptions options;
  options.limits.max_bytes = 1000;
  EXPECT_EQ(outcome(read_bytes("tiny.png"), options), kTooLarge);
  options.limits.max_bytes = read_bytes("tiny.png").size();
  EXPECT_EQ(outcome(read_bytes("tiny.png"), options), kOk);
}

// IMA-016, IMA-040 and their likes: a picture that is not all there is an error, wherever it was cut.
TEST(BadImages, CutAnywhere) {
  for (const char* name :
       {"tiny.png", "palette_transparent.png", "rgba.png", "portrait.jpg", "progressive.jpg", "gray.jpg", "cmyk.jpg",
        "lossy.webp", "lossless.webp", "rgb.bmp", "plain.heic", "plain.avif"}) {
    const Buffer whole = read_bytes(name);
    for (size_t size = 12; size < whole.size(); size += 64) {
      // A JPEG of one scan is complete without its last two bytes, the end marker.
      if (whole.size() - size <= 2) continue;
      const std::string got = outcome(cut(whole, size));
      // Of the first few bytes the format may not be told.
      EXPECT_TRUE(got == kFailed || (size < 64 && (got == kUnknown || got == kUnsupported)))
          << name << " cut at " << size << ": " << got;
    }
  }
}

TEST(BadImages, JpegWithoutItsEndMarkerIsComplete) {
  const Buffer whole = read_bytes("portrait.jpg");
  EXPECT_EQ(decode_image(cut(whole, whole.size() - 2)).rgb, decode_image(whole).rgb);
  const Buffer scans = read_bytes("progressive.jpg");  // whether a scan is missing cannot be told
  EXPECT_EQ(outcome(cut(scans, scans.size() - 2)), kFailed);
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(BadImages, RefusalsCostNoMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory would be measured";
#endif
  const Buffer files[] = {cut(png_head(100000, 100000, 8, 6), 33), png_head(20000, 20000, 1, 0),
                          jpeg_with_size(65500, 65500), webp_header(16383, 16383),
                          make_tiff({.width = 100000, .height = 100000})};
  const long before = peak_kib();
  for (const Buffer& file : files) EXPECT_EQ(outcome(file), kTooLarge);
  EXPECT_LT(peak_kib() - before, 8 * 1024);  // the libraries' own pages; the smallest raster would be 50 MB
}

TEST(BadImages, SkippedBombsCostNoMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's own memory would be measured";
#endif
  const Buffer file = png_with_chunks(bomb_chunk("iCCP"));
  const long before = peak_kib();
  EXPECT_EQ(outcome(file), kOk);
  EXPECT_LT(peak_kib() - before, 8 * 1024);
}

}  // namespace
}  // namespace qvl
