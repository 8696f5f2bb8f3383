// Pictures with random damage: each decodes or is refused with an Error; run under ASan and UBSan, nothing leaks or
// strays.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "media/image.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;

constexpr const char* kSeeds[] = {"tiny.png",        "palette_transparent.png",
                                  "one_bit.png",     "gray16.png",
                                  "gray.jpg",        "exif6.jpg",
                                  "progressive.jpg", "cmyk.jpg",
                                  "lossy.webp",      "lossless.webp",
                                  "anim.gif",        "rgb.bmp",
                                  "plain.heic",      "alpha.avif"};

Buffer tiff_seed() {
  TiffSpec spec{.width = 40, .height = 30, .orientation = 6, .pixels = Buffer(3600)};
  return make_tiff(spec);
}

Buffer bmp_rle_seed() {
  BmpSpec spec{.width = 60, .height = 20, .bits = 8, .compression = 1, .tables = Buffer(1024)};
  for (int y = 0; y < 20; ++y) put(spec.pixels, std::string_view("\x1e\1\x1d\2\0\0", 6));
  put(spec.pixels, std::string_view("\0\1", 2));
  return make_bmp(spec);
}

Buffer animated_webp_seed() {
  Buffer chunks = webp_extended_header(0x12, 90, 70);
  append(chunks, riff_chunk("ANIM", Buffer(6)));
  append(chunks, webp_animation_frame(read_bytes("lossless.webp"), 0, 0, 90, 70));
  append(chunks, riff_chunk("EXIF", make_exif(8)));
  return make_webp(chunks);
}

Buffer damaged(const Buffer& seed, std::mt19937& random) {
  Buffer file = seed;
  const auto pick = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
  // Half of the damage goes into the first 256 bytes: headers are where the surprises are.
  const size_t count = 1 + pick(8);
  for (size_t i = 0; i < count; ++i) {
    const size_t at = pick(2) == 0 ? pick(std::min<size_t>(file.size(), 256)) : pick(file.size());
    constexpr uint8_t kTelling[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
    file[at] = pick(2) == 0 ? static_cast<std::byte>(kTelling[pick(6)]) : static_cast<std::byte>(pick(256));
  }
  if (pick(4) == 0) file.resize(1 + pick(file.size()));
  if (pick(8) == 0)
    file.insert(file.begin() + static_cast<ptrdiff_t>(pick(file.size())), 1 + pick(64), std::byte{0xa5});
  return file;
}

TEST(Mutations, DecodeOrRefuse) {
  std::map<std::string, Buffer> seeds = {
      {"tiff", tiff_seed()}, {"rle.bmp", bmp_rle_seed()}, {"anim.webp", animated_webp_seed()}};
  for (const char* name : kSeeds) seeds[name] = read_bytes(name);
  // A smaller ceiling than the product's keeps the test quick; what is above it is refused before it costs anything.
  DecodeOptions options;
  options.limits.max_pixels = 4'000'000;
  std::mt19937 random(20260101);
  testing::internal::CaptureStderr();
  for (const auto& [name, seed] : seeds) {
    SCOPED_TRACE(name);
    ASSERT_NO_THROW(decode_image(seed)) << name;
    int decoded = 0, refused = 0;
    for (int i = 0; i < 400; ++i) {
      const Buffer file = damaged(seed, random);
      try {
        const Image image = decode_image(file, options);
        ASSERT_EQ(image.rgb.size(), size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
        ++decoded;
      } catch (const Error& e) {
        ASSERT_LE(static_cast<int>(e.kind), static_cast<int>(ErrorKind::kUnsupportedMedia)) << e.what();
        ++refused;
      }
    }
    EXPECT_GT(refused, 20);  // the damage does reach the decoders
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");  // libraries report to us, never to the terminal
}

}  // namespace
}  // namespace qvl
