// TIFF as libtiff itself writes it: the compressions, tiles and depths that we say we read.
#include <gtest/gtest.h>
#include <tiffio.h>
#include <unistd.h>

#include "media/image.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;

constexpr uint32_t kSide = 48;

uint8_t sample(uint32_t x, uint32_t y, uint32_t c) {
  return static_cast<uint8_t>(c == 0 ? 5 * x : c == 1 ? 5 * y : 40);
}

Buffer write_tiff(int compression, int depth, bool tiled) {
  const std::string path = testing::TempDir() + "qvl_tiff_" + std::to_string(getpid());
  TIFF* tiff = TIFFOpen(path.c_str(), "w");
  if (!tiff) return {};
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, kSide);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, kSide);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 3);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, depth);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, compression);
  const uint32_t unit = 16;  // rows of a strip, sides of a tile
  if (tiled) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, unit);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, unit);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, unit);
  }
  const uint32_t width = tiled ? unit : kSide;
  uint32_t index = 0;
  for (uint32_t y0 = 0; y0 < kSide; y0 += unit) {
    for (uint32_t x0 = 0; x0 < kSide; x0 += width, ++index) {
      Buffer block;
      for (uint32_t y = y0; y < y0 + unit; ++y)
        for (uint32_t x = x0; x < x0 + width; ++x)
          for (uint32_t c = 0; c < 3; ++c)
            depth == 16 ? put16le(block, sample(x, y, c) * 257u) : put8(block, sample(x, y, c));
      const auto size = static_cast<tmsize_t>(block.size());
      tiled ? TIFFWriteEncodedTile(tiff, index, block.data(), size)
            : TIFFWriteEncodedStrip(tiff, index, block.data(), size);
    }
  }
  TIFFClose(tiff);
  const std::string text = read_file(path, ErrorKind::kInternal, "test_data");
  std::filesystem::remove(path);
  return to_buffer(text);
}

void expect_picture(const Buffer& file, int tolerance) {
  ASSERT_FALSE(file.empty());
  const Image image = decode_image(file);
  ASSERT_EQ(image.width, static_cast<int>(kSide));
  ASSERT_EQ(image.height, static_cast<int>(kSide));
  for (uint32_t y = 0; y < kSide; ++y)
    for (uint32_t x = 0; x < kSide; ++x)
      for (uint32_t c = 0; c < 3; ++c)
        ASSERT_NEAR(image.rgb[3 * (size_t{y} * kSide + x) + c], sample(x, y, c), tolerance);
}

TEST(TiffCodecs, CompressionsTilesAndDepths) {
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS, COMPRESSION_ADOBE_DEFLATE}) {
    for (const int depth : {8, 16}) {
      for (const bool tiled : {false, true}) {
        SCOPED_TRACE(fmt::format("compression {} depth {} tiled {}", compression, depth, tiled));
        EXPECT_NO_THROW(expect_picture(write_tiff(compression, depth, tiled), 0));
      }
    }
  }
  expect_picture(write_tiff(COMPRESSION_JPEG, 8, false), 12);
}

TEST(TiffCodecs, CutFilesAreRefused) {
  const Buffer whole = write_tiff(COMPRESSION_LZW, 8, false);
  // libtiff writes the directory last: any cut takes it away.
  for (size_t size = 8; size < whole.size(); size += 16)
    EXPECT_THROW(decode_image(Buffer(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size))), Error) << size;
}

}  // namespace
}  // namespace qvl
