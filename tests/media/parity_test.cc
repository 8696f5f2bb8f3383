// The reference's own numbers: decoded pixels, sizes, resized pixels, patches, frame indices and times, all exact.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <sstream>
#include <thread>

#include "media/preprocess.h"
#include "tests/media/media_files.h"

namespace qvl {
namespace {

using namespace test;

const DecodeOptions kDrop{AlphaMode::kDrop, {}};

std::vector<std::vector<std::string>> read_csv(const std::string& name) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(read_text(name));
  std::string line;
  std::getline(lines, line);  // column names
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  return rows;
}

TEST(DecodeParity, EveryReferencePicture) {
  const Json pictures = read_json("images.json");
  ASSERT_GE(pictures.size(), 26u);
  for (const auto& [name, expected] : pictures.items()) {
    // Pillow clips 16-bit grey at 255 (golden README, fact 8: a quirk); here it keeps the high byte.
    // DecodeFormats.Gray16.
    if (name == "gray16.png") continue;
    SCOPED_TRACE(name);
    const Buffer bytes = read_bytes(name);
    const Image image = decode_image(bytes, kDrop);
    EXPECT_EQ(image.height, expected["rgb_size_hw"][0]);
    EXPECT_EQ(image.width, expected["rgb_size_hw"][1]);
    EXPECT_EQ(sha256_of(image.rgb), expected["rgb_sha256"]);
    const ImageInfo info = probe_image(bytes);
    EXPECT_EQ(info.height, image.height);
    EXPECT_EQ(info.width, image.width);
  }
}

TEST(DecodeParity, SamePixelsOnManyThreads) {
  const Json pictures = read_json("images.json");
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const auto& [name, expected] : pictures.items())
        if (name != "gray16.png" && sha256_of(decode_image(read_bytes(name), kDrop).rgb) == expected["rgb_sha256"])
          ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 4 * (static_cast<int>(pictures.size()) - 1));
}

TEST(SmartResizeParity, EveryImageRow) {
  const auto rows = read_csv("smart_resize_image.csv");
  ASSERT_GE(rows.size(), 780u);
  for (const auto& r : rows) {
    SCOPED_TRACE(r[0] + "x" + r[1] + " " + r[3] + ".." + r[4]);
    const PixelLimits limits{std::stoll(r[3]), std::stoll(r[4])};
    const auto call = [&] { return smart_resize(std::stoi(r[0]), std::stoi(r[1]), std::stoi(r[2]), limits); };
    if (r[5] == "error") {
      EXPECT_THROW(call(), Error);
    } else {
      EXPECT_EQ(call(), (Size{std::stoi(r[5]), std::stoi(r[6])}));
    }
  }
}

TEST(SmartResizeParity, EveryVideoRow) {
  const auto rows = read_csv("smart_resize_video.csv");
  ASSERT_GE(rows.size(), 340u);
  for (const auto& r : rows) {
    SCOPED_TRACE(r[0] + " frames " + r[1] + "x" + r[2]);
    const PixelLimits limits{std::stoll(r[5]), std::stoll(r[6])};
    const auto call = [&] {
      return smart_resize_video(std::stoi(r[0]), std::stoi(r[1]), std::stoi(r[2]), std::stoi(r[3]), std::stoi(r[4]),
                                limits);
    };
    if (r[7] == "error") {
      EXPECT_THROW(call(), Error);
    } else {
      EXPECT_EQ(call(), (Size{std::stoi(r[7]), std::stoi(r[8])}));
    }
  }
}

TEST(FrameSamplingParity, EveryRow) {
  std::istringstream lines(read_text("frame_sampling.jsonl"));
  int rows = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const Json row = parse_json(line, "row", ErrorKind::kInternal, "test_data");
    const int total = row["total_num_frames"];
    const double fps = row["video_fps"];
    SCOPED_TRACE(std::to_string(total) + " frames at " + std::to_string(fps));
    const FrameSampling got = row.contains("num_frames")
                                  ? sample_num_frames(total, fps, row["num_frames"])
                                  : sample_frames(total, fps, row["target_fps"], row["min_frames"], row["max_frames"]);
    EXPECT_EQ(got.indices, row["indices"].get<std::vector<int>>());
    EXPECT_EQ(got.texts, row["texts"].get<std::vector<std::string>>());
    const auto times = row["timestamps"].get<std::vector<double>>();
    ASSERT_EQ(got.timestamps.size(), times.size());
    for (size_t i = 0; i < times.size(); ++i) EXPECT_NEAR(got.timestamps[i], times[i], 1e-6);
  }
  EXPECT_GE(rows, 156);
}

// The pictures of a safetensors file of U8 tensors [h, w, 3].
std::map<std::string, Image> read_pictures(const std::string& name) {
  const std::string file = read_text(name);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), 8);
  const Json header =
      parse_json(std::string_view(file).substr(8, header_bytes), name, ErrorKind::kInternal, "test_data");
  std::map<std::string, Image> pictures;
  for (const auto& [tensor, info] : header.items()) {
    const size_t begin = info["data_offsets"][0], end = info["data_offsets"][1];
    const char* data = file.data() + 8 + header_bytes;
    pictures[tensor] = {info["shape"][1], info["shape"][0], std::vector<uint8_t>(data + begin, data + end)};
  }
  return pictures;
}

TEST(ResizeParity, EveryTorchvisionPicture) {
  const auto pictures = read_pictures("resize.safetensors");
  int compared = 0;
  for (const auto& [name, source] : pictures) {
    const size_t dot = name.rfind(".src");
    if (dot == std::string::npos) continue;
    SCOPED_TRACE(name);
    const Image& expected = pictures.at(name.substr(0, dot) + ".torchvision");
    const Image got = resize_bicubic(source, {expected.height, expected.width});
    EXPECT_EQ(got.width, expected.width);
    EXPECT_TRUE(got.rgb == expected.rgb);
    ++compared;
  }
  EXPECT_EQ(compared, 12);
}

TEST(PatchParity, RealSettings) {
  const Json pictures = read_json("real_settings_images.json");
  ASSERT_GE(pictures.size(), 4u);
  const ProcessorConfig config;
  for (const auto& [name, expected] : pictures.items()) {
    SCOPED_TRACE(name);
    const Patches got = process_image(decode_image(read_bytes(name), kDrop), config, config.image);
    EXPECT_EQ(got.grid, (Grid{expected["grid_thw"][0][0], expected["grid_thw"][0][1], expected["grid_thw"][0][2]}));
    EXPECT_EQ(sha256_of(got.values), expected["pixel_values_sha256_torchvision"]);
  }
}

std::vector<Image> reference_frames(const std::string& video, const std::vector<int>& indices) {
  std::vector<Image> frames;
  for (const int i : indices)
    frames.push_back(
        decode_image(read_bytes(fmt::format("frames/{}/{:04}.png", video.substr(0, video.rfind('.')), i)), kDrop));
  return frames;
}

// Every picture and video of the end-to-end cases through the whole pipeline, at the checkpoints' limits.
TEST(PatchParity, EveryCase) {
  const Json cases = read_json("case_pixels.json");
  ASSERT_GE(cases.size(), 50u);
  for (const Json& c : cases) {
    const std::string file = c["file"];
    SCOPED_TRACE(file);
    const PixelLimits limits{c["min_pixels"], c["max_pixels"]};
    Patches got;
    std::vector<uint8_t> resized;
    if (c["kind"] == "image") {
      Image small;
      got = process_image(decode_image(read_bytes(file), kDrop), {}, limits, &small);
      resized = std::move(small.rgb);
    } else {
      std::vector<Image> small;
      got = process_video(reference_frames(file, c["frames"]), {}, limits, &small);
      for (const Image& frame : small) resized.insert(resized.end(), frame.rgb.begin(), frame.rgb.end());
      if (small.size() % 2 != 0) resized.insert(resized.end(), small.back().rgb.begin(), small.back().rgb.end());
    }
    EXPECT_EQ(sha256_of(resized), c["resized_sha256"]);
    EXPECT_EQ(sha256_of(got.values), c["patches_sha256"]);
    EXPECT_EQ(got.grid, (Grid{c["grid"][0], c["grid"][1], c["grid"][2]}));
  }
}

}  // namespace
}  // namespace qvl
