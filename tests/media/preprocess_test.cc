// Properties that hold for every input, and the errors of the preprocessing functions.
#include "media/preprocess.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <limits>

#include "media/data_uri.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;

template <typename Call>
std::string code_of(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return std::to_string(http_status(e.kind)) + " " + e.code;
  }
  return "ok";
}

TEST(SmartResize, NeverGivesASideOfZero) {
  constexpr int64_t kBudgets[] = {1, 32, 1024, 65536, 131072, 16777216, 64000000};
  constexpr int kSides[] = {1,   2,   15,  16,  17,   31,   32,    33,    48,    50,     99,
                            100, 199, 200, 201, 1000, 6400, 10000, 20000, 65535, 113137, 10000000};
  for (const int h : kSides) {
    for (const int w : kSides) {
      if (std::max(h, w) > 200 * int64_t{std::min(h, w)}) {
        EXPECT_EQ(code_of([&] { smart_resize(h, w, 32, {}); }), "400 image_aspect_ratio");
        continue;
      }
      for (const int64_t least : kBudgets) {
        for (const int64_t most : kBudgets) {
          if (least > most) continue;
          const Size size = smart_resize(h, w, 32, {least, most});
          ASSERT_GE(size.height, 32);
          ASSERT_GE(size.width, 32);
          ASSERT_EQ(size.height % 32, 0);
          ASSERT_EQ(size.width % 32, 0);
          // Above the budget only where a side could not shrink further, or where the least asks for it by rounding up.
          const int64_t area = int64_t{size.height} * size.width;
          ASSERT_TRUE(area <= most || size.height == 32 || size.width == 32 || least * 3 > most)
              << h << "x" << w << " " << most;
        }
      }
    }
  }
}

TEST(SmartResize, Errors) {
  EXPECT_EQ(code_of([] { smart_resize(0, 5, 32, {}); }), "400 image_aspect_ratio");
  EXPECT_EQ(code_of([] { smart_resize_video(4, 31, 64, 2, 32, {4096, 65536}); }), "400 video_too_small");
  EXPECT_EQ(code_of([] { smart_resize_video(4, 32, 6401, 2, 32, {4096, 65536}); }), "400 video_aspect_ratio");
  EXPECT_EQ(smart_resize(50, 10000, 32, {4096, 131072}), smart_resize(50, 10000, 32, {65536, 131072}));
}

TEST(OverrideLimits, RangesAndOrder) {
  const PixelLimits base{65536, 1000000};
  const auto code = [&](std::optional<int64_t> least, std::optional<int64_t> most) {
    return code_of([&] { override_limits(base, least, most); });
  };
  EXPECT_EQ(code({}, 0), "400 invalid_value");
  EXPECT_EQ(code({}, -1), "400 invalid_value");
  EXPECT_EQ(code({}, std::numeric_limits<int64_t>::max()), "400 invalid_value");
  EXPECT_EQ(code(0, {}), "400 invalid_value");
  EXPECT_EQ(code(2000, 1000), "400 invalid_value");
  EXPECT_EQ(code(1000, 1000), "ok");
  EXPECT_EQ(override_limits(base, {}, {}).max_pixels, 1000000);
  const PixelLimits small = override_limits(base, {}, 4096);
  EXPECT_EQ(small.min_pixels, 4096);
  EXPECT_EQ(small.max_pixels, 4096);
  EXPECT_EQ(override_limits(base, 2000000, {}).max_pixels, 2000000);
}

TEST(FrameSampling, Errors) {
  EXPECT_EQ(code_of([] { sample_frames(0, 25, 2, 4, 768); }), "400 video_no_frames");
  EXPECT_EQ(code_of([] { sample_frames(10, 25, 0, 4, 768); }), "400 invalid_value");
  EXPECT_EQ(code_of([] { sample_frames(10, 25, std::nan(""), 4, 768); }), "400 invalid_value");
  EXPECT_EQ(code_of([] { sample_frames(10, 25, 2, 5, 4); }), "400 invalid_value");
  EXPECT_EQ(code_of([] { sample_num_frames(10, 25, 1); }), "400 invalid_value");
  EXPECT_EQ(code_of([] { sample_num_frames(10, 25, 11); }), "400 invalid_value");
}

TEST(FrameSampling, ExtremeRates) {
  EXPECT_EQ(sample_frames(48, 0, 2, 4, 768).indices.size(), 4u);  // unknown: 24
  EXPECT_EQ(sample_frames(48, std::nan(""), 2, 4, 768).indices.size(), 4u);
  EXPECT_EQ(sample_frames(std::numeric_limits<int>::max(), 1e-300, 1e9, 4, 768).indices.size(), 768u);
  EXPECT_EQ(sample_frames(std::numeric_limits<int>::max(), 1, 1, 4, 768).indices.back(),
            std::numeric_limits<int>::max() - 1);
  EXPECT_EQ(sample_frames(2, 1e300, 1e-300, 4, 768).indices, (std::vector<int>{0, 1}));
}

TEST(ResizeBicubic, KeepsConstantsAndEqualSizes) {
  Image gray{33, 57, std::vector<uint8_t>(33 * 57 * 3, 200)};
  for (const Size size : {Size{64, 96}, Size{32, 32}, Size{57, 32}, Size{32, 33}, Size{1, 1}}) {
    const Image got = resize_bicubic(gray, size);
    EXPECT_EQ(got.rgb, std::vector<uint8_t>(static_cast<size_t>(size.height * size.width * 3), 200))
        << size.height << "x" << size.width;
  }
  gray.rgb[7] = 3;
  EXPECT_EQ(resize_bicubic(gray, {57, 33}).rgb, gray.rgb);
}

TEST(ResizeBicubic, LargePictureIsQuick) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "sanitizers are slow";
#endif
  Image big{4000, 3000, std::vector<uint8_t>(size_t{4000} * 3000 * 3)};
  for (size_t i = 0; i < big.rgb.size(); ++i) big.rgb[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(resize_bicubic(big, {1536, 2048}).width, 2048);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  RecordProperty("seconds", std::to_string(seconds.count()));
  std::printf("4000x3000 -> 2048x1536: %.3f s\n", seconds.count());
  EXPECT_LT(seconds.count(), 2.0);  // 0.15 s on an idle core; loose, for a busy machine
}

TEST(Patchify, RowAndColumnOrder) {
  // Two frames of 32x64; every sample says where it is.
  std::vector<Image> frames;
  for (int t = 0; t < 2; ++t) {
    Image f{64, 32, {}};
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 64; ++x)
        for (int c = 0; c < 3; ++c) f.rgb.push_back(static_cast<uint8_t>((t * 101 + y * 7 + x * 3 + c * 31) % 256));
    frames.push_back(std::move(f));
  }
  const Patches got = patchify(frames, {});
  ASSERT_EQ(got.grid, (Grid{1, 2, 4}));
  ASSERT_EQ(got.values.size(), 8u * 1536u);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c) {
        for (int t = 0; t < 2; ++t) {
          const int pr = y / 16, pc = x / 16;
          const int row = ((pr / 2 * 2 + pc / 2) * 2 + pr % 2) * 2 + pc % 2,
                    column = ((c * 2 + t) * 16 + y % 16) * 16 + x % 16;
          const int u = (t * 101 + y * 7 + x * 3 + c * 31) % 256;
          ASSERT_EQ(got.values[static_cast<size_t>(row * 1536 + column)], (static_cast<float>(u) - 127.5f) / 127.5f);
        }
      }
    }
  }
}

class ProcessorConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("qvl_media_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const char* name, std::string_view text) { std::ofstream(folder_ / name) << text; }
  std::string code() {
    try {
      load_processor_config(folder_);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind, ErrorKind::kModel);
      return e.code;
    }
    return "ok";
  }
  std::filesystem::path folder_;
};

TEST_F(ProcessorConfigFiles, MissingFilesGiveDefaults) {
  const ProcessorConfig c = load_processor_config(folder_);
  EXPECT_EQ(c.image.min_pixels, 65536);
  EXPECT_EQ(c.video.max_pixels, 25165824);
  EXPECT_EQ(c.factor(), 32);
}

TEST_F(ProcessorConfigFiles, NewAndOldKeys) {
  write(
      "preprocessor_config.json",
      R"({"min_pixels": 3136, "max_pixels": 12845056, "patch_size": 14, "size": null, "image_mean": [0.5, 0.5, 0.5]})");
  write("video_preprocessor_config.json",
        R"({"size": {"shortest_edge": 5000, "longest_edge": 6000}, "patch_size": 14, "fps": 1.5, "max_frames": 32})");
  const ProcessorConfig c = load_processor_config(folder_);
  EXPECT_EQ(c.image.min_pixels, 3136);
  EXPECT_EQ(c.image.max_pixels, 12845056);
  EXPECT_EQ(c.patch_size, 14);
  EXPECT_EQ(c.video.min_pixels, 5000);
  EXPECT_EQ(c.video.max_pixels, 6000);
  EXPECT_EQ(c.fps, 1.5);
  EXPECT_EQ(c.max_frames, 32);
  EXPECT_EQ(c.min_frames, 4);
}

TEST_F(ProcessorConfigFiles, BadValues) {
  for (const char* bad : {"", "[]", "{", R"({"patch_size": 0})", R"({"patch_size": "16"})", R"({"patch_size": 1e9})",
                          R"({"merge_size": -2})", R"({"temporal_patch_size": 9223372036854775808})", R"({"size": 5})",
                          R"({"size": {"shortest_edge": 0}})", R"({"size": {"shortest_edge": 10, "longest_edge": 9}})",
                          R"({"image_mean": [0.48, 0.45, 0.40]})", R"({"image_std": [1, 1]})",
                          R"({"max_pixels": 18446744073709551615})"}) {
    write("preprocessor_config.json", bad);
    EXPECT_EQ(code(), "model_config") << bad;
  }
  write("preprocessor_config.json", "{}");
  for (const char* bad :
       {R"({"fps": 0})", R"({"fps": "2"})", R"({"min_frames": 9, "max_frames": 8})", R"({"patch_size": 14})"}) {
    write("video_preprocessor_config.json", bad);
    EXPECT_EQ(code(), "model_config") << bad;
  }
}

std::string decoded(std::string_view text, size_t max_bytes = 1000) {
  const auto bytes = decode_data_uri(text, max_bytes);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

TEST(DataUri, WhatIsRead) {
  EXPECT_EQ(decoded("data:image/png;base64,aGVsbG8="), "hello");
  EXPECT_EQ(decoded("DATA:image;BASE64,aGVsbG8"), "hello");
  EXPECT_EQ(decoded("data:image/png;charset=utf-8;base64,aGVsbG8="), "hello");
  EXPECT_EQ(decoded("data:;base64,"), "");
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded(" aGVs\r\nbG8\t=\n"), "hello");
  EXPECT_EQ(decoded("-_-_"), "\xfb\xff\xbf");
  EXPECT_EQ(decoded("+/+/"), "\xfb\xff\xbf");
  EXPECT_EQ(decoded("data:;base64,%2b%2F%2B/aA%3D%3d"), "\xfb\xff\xbfh");
  EXPECT_EQ(decoded("aGVsbG8h"), "hello!");
}

TEST(DataUri, WhatIsRefused) {
  for (const char* bad :
       {"data:image/png;base64", "data:image/png,aGVs", "data:base64,aGVs", "a", "aGVsb", "aGVsbG8==", "aGVsbG8=a",
        "aGVs=", "aGVs====", "aG*s", "aGV\xc3\xa9", "=", "aGVs%zz", "data:;base64,aGVs%4"})
    EXPECT_EQ(code_of([&] { decode_data_uri(bad); }), "400 invalid_base64") << bad;
  EXPECT_EQ(code_of([] { decode_data_uri(std::string(1336, 'A'), 1000); }), "400 image_too_large");
  EXPECT_EQ(decode_data_uri(std::string(1334, 'A') + "\n", 1000).size(), 1000u);
}

TEST(DataUri, EveryByteRoundTrips) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t length = 0; length < 300; ++length) {
    std::string bytes, text;
    for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(i * 89 + length));
    for (size_t i = 0; i < length; i += 3) {
      uint32_t v = 0;
      for (size_t k = 0; k < 3; ++k) v = v << 8 | (i + k < length ? static_cast<uint8_t>(bytes[i + k]) : 0u);
      for (size_t k = 0; k < 4; ++k) text.push_back(k <= length - i ? kDigits[v >> (18 - 6 * k) & 63] : '=');
    }
    ASSERT_EQ(decoded(text), bytes) << text;
  }
}

}  // namespace
}  // namespace qvl
