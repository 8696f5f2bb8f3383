// Families of the reference data about pictures: decoding, sizes, sampling of frames, resizing, patches.
#include <cstring>
#include <sstream>

#include "app/conformance.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "media/image.h"
#include "weights/weight_store.h"

namespace qvl {
namespace fs = std::filesystem;
namespace {

template <typename T>
std::string sha_of(const std::vector<T>& values) {
  return hex(sha256(std::as_bytes(std::span(values))));
}

Image decode_file(const fs::path& file) {
  const std::string bytes = read_file(file, ErrorKind::kInvalidRequest, "file_missing");
  return decode_image(std::as_bytes(std::span(bytes)), {.alpha = AlphaMode::kDrop, .limits = {}});
}

void decode(const ConformanceOptions& options, FamilyReport& report) {
  const Json images = read_json(options.folder / "media/images.json");
  for (const auto& [name, row] : images.items()) {
    const Image image = decode_file(options.folder / "media" / name);
    const bool size = row["rgb_size_hw"] == Json::array({image.height, image.width});
    const bool same = sha_of(image.rgb) == row["rgb_sha256"].get<std::string>();
    // 16-bit grey: Pillow clips instead of scaling, which no case uses and nobody wants (golden fact 8).
    report.expect(size && (same || row.value("pil_mode", "").rfind("I;16", 0) == 0), name);
  }
}

std::vector<std::vector<std::string>> read_csv(const fs::path& file) {
  std::istringstream lines(read_file(file, ErrorKind::kInvalidRequest, "file_missing"));
  std::vector<std::vector<std::string>> rows;
  std::string line;
  std::getline(lines, line);  // the header
  while (std::getline(lines, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  return rows;
}

// The last three columns are height, width and tokens, or "error".
void check_size(const std::vector<std::string>& row, size_t result, const std::function<Size()>& compute, int64_t groups,
                FamilyReport& report) {
  std::string name;
  for (const auto& cell : row) name += (name.empty() ? "" : ",") + cell;
  try {
    const Size size = compute();
    const int64_t tokens = groups * (size.height / 32) * (size.width / 32);
    report.expect(row[result] == std::to_string(size.height) && row[result + 1] == std::to_string(size.width) &&
                      row[result + 2] == std::to_string(tokens),
                  fmt::format("{}: {}x{}", name, size.height, size.width));
  } catch (const Error&) {
    report.expect(row[result] == "error", name + ": an unexpected error");
  }
}

void sizes_image(const ConformanceOptions& options, FamilyReport& report) {
  for (const auto& row : read_csv(options.folder / "preprocess/smart_resize_image.csv")) {
    check_size(row, 5, [&] {
      return smart_resize(std::stoi(row[0]), std::stoi(row[1]), std::stoi(row[2]), {std::stoll(row[3]), std::stoll(row[4])});
    }, 1, report);
  }
}

void sizes_video(const ConformanceOptions& options, FamilyReport& report) {
  for (const auto& row : read_csv(options.folder / "preprocess/smart_resize_video.csv")) {
    const int frames = std::stoi(row[0]), temporal = std::stoi(row[3]);
    check_size(row, 7, [&] {
      return smart_resize_video(frames, std::stoi(row[1]), std::stoi(row[2]), temporal, std::stoi(row[4]),
                                {std::stoll(row[5]), std::stoll(row[6])});
    }, (frames + temporal - 1) / temporal, report);
  }
}

void sampling(const ConformanceOptions& options, FamilyReport& report) {
  for (const auto& row : read_json_lines(options.folder / "preprocess/frame_sampling.jsonl")) {
    const int total = row["total_num_frames"].get<int>();
    const double fps = row["video_fps"].is_number() ? row["video_fps"].get<double>() : 0;
    FrameSampling got;
    if (row.contains("num_frames") && row["num_frames"].is_number()) {
      // A wish for a number of frames is that number as both bounds.
      const int frames = row["num_frames"].get<int>();
      got = sample_frames(total, fps, 2, frames, frames);
    } else {
      got = sample_frames(total, fps, row["target_fps"].get<double>(), row["min_frames"].get<int>(), row["max_frames"].get<int>());
    }
    bool ok = got.indices == row["indices"].get<std::vector<int>>() && got.texts == row["texts"].get<std::vector<std::string>>();
    const auto times = row["timestamps"].get<std::vector<double>>();
    ok = ok && times.size() == got.timestamps.size();
    for (size_t i = 0; ok && i < times.size(); ++i) {
      report.error(std::abs(times[i] - got.timestamps[i]));
      ok = std::abs(times[i] - got.timestamps[i]) < 1e-6;  // stored with six decimals
    }
    report.expect(ok, fmt::format("{} frames at {} fps", total, fps));
  }
}

Image image_of(const ConstTensorView& view) {
  const auto* const begin = view.as<uint8_t>();
  return {.width = static_cast<int>(view.shape[1]), .height = static_cast<int>(view.shape[0]), .rgb = {begin, begin + view.elements()}};
}

void resize(const ConformanceOptions& options, FamilyReport& report) {
  const auto store = open_safetensors(options.folder / "preprocess/resize.safetensors");
  for (const auto& name : store->names()) {
    if (!name.ends_with(".src")) continue;
    const std::string base = name.substr(0, name.size() - 4);
    const Image want = image_of(store->view(base + ".torchvision"));
    const Image got = resize_bicubic(image_of(store->view(name)), {want.height, want.width});
    for (size_t i = 0; i < want.rgb.size() && got.rgb.size() == want.rgb.size(); ++i) report.error(std::abs(got.rgb[i] - want.rgb[i]));
    report.expect(got.rgb == want.rgb, base);
  }
}

void real_settings(const ConformanceOptions& options, FamilyReport& report) {
  const Json rows = read_json(options.folder / "preprocess/real_settings_images.json");
  for (const auto& [name, row] : rows.items()) {
    const Patches patches = process_image(decode_file(options.folder / "media" / name), {}, {});
    report.expect(row["grid_thw"] == Json::array({Json::array({patches.grid.t, patches.grid.h, patches.grid.w})}) &&
                      sha_of(patches.values) == row["pixel_values_sha256_torchvision"].get<std::string>(),
                  name);
  }
}

}  // namespace

std::vector<Family> media_families() {
  return {{"image-decode", {"media/images.json"}, decode},
          {"smart-resize-image", {"preprocess/smart_resize_image.csv"}, sizes_image},
          {"smart-resize-video", {"preprocess/smart_resize_video.csv"}, sizes_video},
          {"frame-sampling", {"preprocess/frame_sampling.jsonl"}, sampling},
          {"resize", {"preprocess/resize.safetensors"}, resize},
          {"pixel-values", {"preprocess/real_settings_images.json", "media"}, real_settings}};
}

}  // namespace qvl
