// What the reference set does not hold: varieties of the formats, made here byte by byte, with known pixels.
#include <gtest/gtest.h>

#include "media/image.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;
using Pixels = std::vector<uint8_t>;

const DecodeOptions kDrop{AlphaMode::kDrop, {}};
const DecodeOptions kWhite{AlphaMode::kWhite, {}};

Pixels rgb_of(const Buffer& file, const DecodeOptions& options = kWhite) { return decode_image(file, options).rgb; }

Buffer bytes_of(const std::vector<int>& values) {
  Buffer out;
  for (const int v : values) put8(out, static_cast<uint32_t>(v));
  return out;
}

// A stored picture of 3x2 whose pixel (x, y) has red 10 * x and green 10 * y, and where EXIF orientation puts each.
constexpr int kW = 3, kH = 2;
Pixels stored_ramp() {
  Pixels p;
  for (int y = 0; y < kH; ++y)
    for (int x = 0; x < kW; ++x)
      for (const int v : {10 * x, 10 * y, 7}) p.push_back(static_cast<uint8_t>(v));
  return p;
}
Pixels shown_ramp(int orientation) {
  const bool swap = orientation >= 5;
  const int w = swap ? kH : kW, h = swap ? kW : kH;
  Pixels p;
  for (int y = 0; y < h; ++y) {
    for (int x = 0; x < w; ++x) {
      // Stored column and row of the shown pixel, from the EXIF standard's words (where row 0 and column 0 are shown).
      int sx = swap ? y : x, sy = swap ? x : y;
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) sx = kW - 1 - sx;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) sy = kH - 1 - sy;
      for (const int v : {10 * sx, 10 * sy, 7}) p.push_back(static_cast<uint8_t>(v));
    }
  }
  return p;
}

Buffer ramp_png(const Buffer& exif) {
  PngSpec spec{.width = kW, .height = kH};
  const Pixels ramp = stored_ramp();
  for (size_t i = 0; i < ramp.size(); ++i) {
    if (i % (3 * kW) == 0) put8(spec.rows, 0);
    put8(spec.rows, ramp[i]);
  }
  if (!exif.empty()) spec.after_pixels = png_chunk("eXIf", exif);
  return make_png(spec);
}

TEST(Orientation, AllEightInPngTiffAndWebp) {
  Pixels rgba;
  const Pixels ramp = stored_ramp();
  for (size_t i = 0; i < ramp.size(); i += 3) rgba.insert(rgba.end(), {ramp[i], ramp[i + 1], ramp[i + 2], 255});
  const Buffer plain_webp = webp_lossless(rgba, kW, kH);
  for (int o = 1; o <= 8; ++o) {
    SCOPED_TRACE(o);
    const auto orientation = static_cast<uint32_t>(o);
    TiffSpec tiff{.width = kW, .height = kH, .orientation = orientation};
    for (const uint8_t v : ramp) put8(tiff.pixels, v);
    Buffer chunks = webp_extended_header(8, kW, kH);
    chunks.insert(chunks.end(), plain_webp.begin() + 12, plain_webp.end());
    append(chunks, riff_chunk("EXIF", make_exif(orientation, o % 2 == 0)));
    for (const Buffer& file : {ramp_png(make_exif(orientation, o % 2 != 0)), make_tiff(tiff), make_webp(chunks)}) {
      const Image image = decode_image(file);
      EXPECT_EQ(image.width, o >= 5 ? kH : kW);
      EXPECT_EQ(image.rgb, shown_ramp(o));
      EXPECT_EQ(probe_image(file).width, image.width);
      EXPECT_EQ(probe_image(file).height, image.height);
    }
  }
}

TEST(Orientation, LargeTilesAgreeWithPixelByPixel) {
  // 131x67 crosses the tiles of the rotation; three quarter turns more give the picture back.
  PngSpec spec{.width = 131, .height = 67};
  for (int y = 0; y < 67; ++y) {
    put8(spec.rows, 0);
    for (int x = 0; x < 131; ++x)
      put8(spec.rows, static_cast<uint32_t>(x)), put8(spec.rows, static_cast<uint32_t>(y)), put8(spec.rows, 9);
  }
  spec.after_pixels = png_chunk("eXIf", make_exif(6));
  const Image image = decode_image(make_png(spec));
  ASSERT_EQ(image.width, 67);
  for (int y = 0; y < 131; ++y) {
    for (int x = 0; x < 67; ++x) {
      const size_t i = 3 * static_cast<size_t>(y * 67 + x);
      ASSERT_EQ(image.rgb[i], y);
      ASSERT_EQ(image.rgb[i + 1], 66 - x);
    }
  }
}

TEST(Orientation, OfJpegWithBothByteOrders) {
  const Buffer jpeg = read_bytes("portrait.jpg");  // 100x170, upright
  for (const bool little : {true, false})
    EXPECT_EQ(decode_image(with_jpeg_exif(jpeg, make_exif(6, little))).width, 170);
}

TEST(DecodePng, Gray16KeepsTheHighByte) {
  PngSpec spec{.width = 3, .height = 1, .depth = 16, .color = 0};
  spec.rows = bytes_of({0, 0x00, 0xff, 0x12, 0x34, 0xff, 0xff});
  EXPECT_EQ(rgb_of(make_png(spec)), (Pixels{0, 0, 0, 0x12, 0x12, 0x12, 255, 255, 255}));
  const Image golden = decode_image(read_bytes("gray16.png"), kDrop);
  EXPECT_EQ(golden.width, 64);
  EXPECT_EQ(golden.height, 48);
}

TEST(DecodePng, AlphaOverWhiteOrDropped) {
  PngSpec spec{.width = 3, .height = 1, .color = 6};
  spec.rows = bytes_of({0, 10, 20, 30, 255, 10, 20, 30, 0, 0, 100, 200, 128});
  EXPECT_EQ(rgb_of(make_png(spec)), (Pixels{10, 20, 30, 255, 255, 255, 127, 177, 227}));
  EXPECT_EQ(rgb_of(make_png(spec), kDrop), (Pixels{10, 20, 30, 10, 20, 30, 0, 100, 200}));
}

TEST(DecodePng, TransparentPaletteAndColorKey) {
  PngSpec palette{.width = 4, .height = 1, .depth = 2, .color = 3};
  palette.before_pixels = png_chunk("PLTE", bytes_of({1, 2, 3, 40, 50, 60, 7, 8, 9}));
  append(palette.before_pixels, png_chunk("tRNS", bytes_of({255, 0})));
  palette.rows = bytes_of({0, 0b00011000});
  EXPECT_EQ(rgb_of(make_png(palette)), (Pixels{1, 2, 3, 255, 255, 255, 7, 8, 9, 1, 2, 3}));
  EXPECT_EQ(rgb_of(make_png(palette), kDrop), (Pixels{1, 2, 3, 40, 50, 60, 7, 8, 9, 1, 2, 3}));

  PngSpec key{.width = 2, .height = 1, .color = 2};
  key.before_pixels = png_chunk("tRNS", bytes_of({0, 5, 0, 6, 0, 7}));
  key.rows = bytes_of({0, 5, 6, 7, 5, 6, 8});
  EXPECT_EQ(rgb_of(make_png(key)), (Pixels{255, 255, 255, 5, 6, 8}));
  EXPECT_EQ(rgb_of(make_png(key), kDrop), (Pixels{5, 6, 7, 5, 6, 8}));
}

TEST(DecodePng, AdamSevenWithAlpha) {
  // 2x2: pass 1 holds (0,0), pass 6 (1,0), pass 7 the second row.
  PngSpec spec{.width = 2, .height = 2, .color = 6, .interlace = 1};
  spec.rows = bytes_of({0, 1, 2, 3, 255, 0, 4, 5, 6, 0, 0, 7, 8, 9, 255, 10, 11, 12, 255});
  EXPECT_EQ(rgb_of(make_png(spec)), (Pixels{1, 2, 3, 255, 255, 255, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(rgb_of(make_png(spec), kDrop), (Pixels{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
}

TEST(DecodeGif, FirstFrameOnItsCanvas) {
  Buffer gif = gif_head(3, 2, {10, 10, 10, 20, 20, 20, 30, 30, 30});
  append(gif, gif_frame({.left = 1, .top = 0, .width = 2, .height = 1, .indices = {1, 2}, .transparent = 2}));
  append(gif, gif_frame({.width = 3, .height = 2, .indices = {2, 2, 2, 2, 2, 2}}));
  put(gif, ";");
  const Pixels w(3, 255);
  EXPECT_EQ(rgb_of(gif),
            (Pixels{255, 255, 255, 20, 20, 20, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}));
  EXPECT_EQ(rgb_of(gif, kDrop), (Pixels{30, 30, 30, 20, 20, 20, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30}));
}

TEST(DecodeGif, FrameBeyondTheScreenEnlargesIt) {
  Buffer gif = gif_head(1, 1, {9, 9, 9, 20, 20, 20});
  append(gif, gif_frame({.left = 0, .top = 1, .width = 2, .height = 1, .indices = {1, 1}}));
  const Image image = decode_image(gif);
  EXPECT_EQ(image.width, 2);
  EXPECT_EQ(image.height, 2);
  EXPECT_EQ(image.rgb, (Pixels{255, 255, 255, 255, 255, 255, 20, 20, 20, 20, 20, 20}));
}

TEST(DecodeWebp, AlphaAndAnimation) {
  const Pixels rgba = {10, 20, 30, 255, 10, 20, 30, 0};
  EXPECT_EQ(rgb_of(webp_lossless(rgba, 2, 1)), (Pixels{10, 20, 30, 255, 255, 255}));
  // Two frames on a canvas of 4x2; the first covers the right half of the lower row.
  Buffer chunks = webp_extended_header(0x12, 4, 3);
  append(chunks, riff_chunk("ANIM", bytes_of({0, 0, 0, 0, 0, 0})));
  append(chunks, webp_animation_frame(webp_lossless(rgba, 2, 1), 2, 2, 2, 1));
  append(chunks, webp_animation_frame(webp_lossless(Pixels(48, 77), 4, 3), 0, 0, 4, 3));
  const Image image = decode_image(make_webp(chunks));
  EXPECT_EQ(image.width, 4);
  Pixels expected(36, 255);
  expected[30] = 10, expected[31] = 20, expected[32] = 30;
  EXPECT_EQ(image.rgb, expected);
}

TEST(DecodeBmp, DepthsAndOrders) {
  const Buffer palette = bytes_of({3, 2, 1, 0, 60, 50, 40, 0});
  // 1 bit, bottom-up: the first stored row is the lowest.
  EXPECT_EQ(rgb_of(make_bmp({.width = 2,
                             .height = 2,
                             .bits = 1,
                             .colors = 2,
                             .tables = palette,
                             .pixels = bytes_of({0x40, 0, 0, 0, 0x80, 0, 0, 0})})),
            (Pixels{40, 50, 60, 1, 2, 3, 1, 2, 3, 40, 50, 60}));
  EXPECT_EQ(rgb_of(make_bmp({.width = 3,
                             .height = -1,
                             .bits = 4,
                             .colors = 2,
                             .tables = palette,
                             .pixels = bytes_of({0x01, 0x00, 0, 0})})),
            (Pixels{1, 2, 3, 40, 50, 60, 1, 2, 3}));
  // Top-down 24 bits with row padding.
  EXPECT_EQ(rgb_of(make_bmp({.width = 1, .height = -2, .pixels = bytes_of({3, 2, 1, 0, 6, 5, 4, 0})})),
            (Pixels{1, 2, 3, 4, 5, 6}));
  // 16 bits: 5-5-5 by default, 5-6-5 by masks.
  EXPECT_EQ(rgb_of(make_bmp({.width = 2, .height = 1, .bits = 16, .pixels = bytes_of({0x00, 0x7c, 0x1f, 0x00})})),
            (Pixels{255, 0, 0, 0, 0, 255}));
  EXPECT_EQ(rgb_of(make_bmp({.width = 2,
                             .height = 1,
                             .bits = 16,
                             .compression = 3,
                             .tables = bytes_of({0, 0xf8, 0, 0, 0xe0, 7, 0, 0, 0x1f, 0, 0, 0}),
                             .pixels = bytes_of({0xe0, 0x07, 0x00, 0xf8})})),
            (Pixels{0, 255, 0, 255, 0, 0}));
  // 32 bits: the fourth byte means nothing without a mask; with one, it is alpha.
  EXPECT_EQ(rgb_of(make_bmp({.width = 1, .height = 1, .bits = 32, .pixels = bytes_of({3, 2, 1, 0})})),
            (Pixels{1, 2, 3}));
  const Buffer masks = bytes_of({0, 0, 255, 0, 0, 255, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255});
  const BmpSpec alpha{.width = 2,
                      .height = 1,
                      .bits = 32,
                      .compression = 6,
                      .tables = masks,
                      .pixels = bytes_of({3, 2, 1, 255, 3, 2, 1, 0})};
  EXPECT_EQ(rgb_of(make_bmp(alpha)), (Pixels{1, 2, 3, 255, 255, 255}));
  EXPECT_EQ(rgb_of(make_bmp(alpha), kDrop), (Pixels{1, 2, 3, 1, 2, 3}));
}

TEST(DecodeBmp, RunLengths) {
  const Buffer palette = bytes_of({1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 3, 0});
  // Lower row: run of two 1s, literal 2 0 1 (padded); then a delta to the upper row's second pixel; a 2; the end.
  const Buffer rle8 = bytes_of({2, 1, 0, 3, 2, 0, 1, 0, 0, 0, 0, 2, 1, 0, 1, 2, 0, 1});
  const Pixels expected = {1, 1, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 1, 1, 1, 2, 2, 2};
  EXPECT_EQ(
      rgb_of(make_bmp(
          {.width = 5, .height = 2, .bits = 8, .compression = 1, .colors = 3, .tables = palette, .pixels = rle8})),
      expected);
  const Buffer rle4 = bytes_of({2, 0x11, 0, 3, 0x20, 0x10, 0, 0, 0, 2, 1, 0, 1, 0x20, 0, 1});
  EXPECT_EQ(
      rgb_of(make_bmp(
          {.width = 5, .height = 2, .bits = 4, .compression = 2, .colors = 3, .tables = palette, .pixels = rle4})),
      expected);
}

TEST(DecodeTiff, GrayAndBothKindsOfAlpha) {
  EXPECT_EQ(rgb_of(make_tiff({.width = 2, .samples = 1, .pixels = bytes_of({7, 200})})),
            (Pixels{7, 7, 7, 200, 200, 200}));
  const TiffSpec straight{
      .width = 2, .samples = 4, .extra_samples = 2, .pixels = bytes_of({10, 20, 30, 255, 90, 90, 90, 0})};
  EXPECT_EQ(rgb_of(make_tiff(straight)), (Pixels{10, 20, 30, 255, 255, 255}));
  const TiffSpec premultiplied{.samples = 4, .extra_samples = 1, .pixels = bytes_of({50, 0, 100, 128})};
  EXPECT_EQ(rgb_of(make_tiff(premultiplied)), (Pixels{177, 127, 227}));
  EXPECT_EQ(rgb_of(make_tiff(premultiplied), kDrop), (Pixels{100, 0, 199}));
}

// 96x64, red rises with x, green with y, blue 64; made with x265 and aom at quality 90.
void expect_ramp(const Image& image, bool turned) {
  ASSERT_EQ(image.width, turned ? 64 : 96);
  ASSERT_EQ(image.height, turned ? 96 : 64);
  for (int y = 4; y < image.height - 4; y += 7) {
    for (int x = 4; x < image.width - 4; x += 7) {
      const uint8_t* p =
          image.rgb.data() + 3 * (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(x));
      const int sx = turned ? y : x, sy = turned ? 63 - x : y;  // a quarter turn clockwise
      ASSERT_NEAR(p[0], sx * 255 / 95, 12) << x << "," << y;
      ASSERT_NEAR(p[1], sy * 255 / 63, 12) << x << "," << y;
      ASSERT_NEAR(p[2], 64, 16) << x << "," << y;
    }
  }
}

TEST(DecodeHeif, HevcAndAv1) {
  expect_ramp(decode_image(read_bytes("plain.heic")), false);
  expect_ramp(decode_image(read_bytes("plain.avif")), false);
  EXPECT_EQ(probe_image(read_bytes("plain.avif")).format, ImageFormat::kHeif);
}

TEST(DecodeHeif, OwnRotationAppliedOnce) {
  const Buffer turned = read_bytes("turned.heic");
  expect_ramp(decode_image(turned), true);
  EXPECT_EQ(probe_image(turned).width, 64);
}

TEST(DecodeHeif, Alpha) {
  const Buffer file = read_bytes("alpha.avif");  // the right half is transparent
  const Image white = decode_image(file), dropped = decode_image(file, kDrop);
  const size_t right = 3 * (32 * 96 + 80), left = 3 * (32 * 96 + 16);
  EXPECT_GE(white.rgb[right + 2], 250);
  EXPECT_LE(dropped.rgb[right + 2], 90);
  EXPECT_NEAR(white.rgb[left], dropped.rgb[left], 3);
}

}  // namespace
}  // namespace qvl
