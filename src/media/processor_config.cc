// preprocessor_config.json and video_preprocessor_config.json.
#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "media/preprocess.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCode = "model_config";

// One file with accessors that check type and range; messages name file and key.
class ConfigFile {
 public:
  ConfigFile(const fs::path& path) : name_(path.filename().string()) {
    const std::string text = read_file(path, ErrorKind::kModel, kCode, uint64_t{1} << 20);
    json_ = parse_json(text, name_, ErrorKind::kModel, kCode);
    if (!json_.is_object()) throw_error(ErrorKind::kModel, kCode, "{} is not a JSON object", name_);
  }

  const Json* find(const Json& object, const char* key) const {
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  void read_int(const Json& object, const char* key, int64_t least, int64_t most, int64_t& value) const {
    const Json* found = find(object, key);
    if (!found) return;
    if (!found->is_number_integer() ||
        (found->is_number_unsigned() && found->get<uint64_t>() > static_cast<uint64_t>(most)) ||
        found->get<int64_t>() < least || found->get<int64_t>() > most)
      throw_error(ErrorKind::kModel, kCode, "{}: {} is {}, expected a whole number {}..{}", name_, key, shown(*found),
                  least, most);
    value = found->get<int64_t>();
  }
  void read_int(const char* key, int least, int most, int& value) const {
    int64_t wide = value;
    read_int(json_, key, least, most, wide);
    value = static_cast<int>(wide);
  }
  void read_fps(double& value) const {
    const Json* found = find(json_, "fps");
    if (!found) return;
    if (!found->is_number() || !std::isfinite(found->get<double>()) || found->get<double>() <= 0 ||
        found->get<double>() > 1000)
      throw_error(ErrorKind::kModel, kCode, "{}: fps is {}, expected a number above 0, at most 1000", name_,
                  shown(*found));
    value = found->get<double>();
  }
  // size.shortest_edge and size.longest_edge are areas; older files say min_pixels and max_pixels.
  void read_limits(PixelLimits& limits) const {
    constexpr int64_t kMost = int64_t{1} << 40;
    read_int(json_, "min_pixels", 1, kMost, limits.min_pixels);
    read_int(json_, "max_pixels", 1, kMost, limits.max_pixels);
    if (const Json* size = find(json_, "size")) {
      if (!size->is_object()) throw_error(ErrorKind::kModel, kCode, "{}: size is not an object", name_);
      read_int(*size, "shortest_edge", 1, kMost, limits.min_pixels);
      read_int(*size, "longest_edge", 1, kMost, limits.max_pixels);
    }
    if (limits.min_pixels > limits.max_pixels)
      throw_error(ErrorKind::kModel, kCode, "{}: the least number of pixels, {}, is above the greatest, {}", name_,
                  limits.min_pixels, limits.max_pixels);
  }
  // The engine normalises with mean and deviation 0.5; another model would silently see wrong colours.
  void check_normalization(const char* key) const {
    const Json* found = find(json_, key);
    if (!found) return;
    bool half = found->is_array() && found->size() == 3;
    if (half)
      for (const Json& v : *found) half = half && v.is_number() && v.get<double>() == 0.5;
    if (!half)
      throw_error(ErrorKind::kModel, kCode, "{}: {} is {}, only [0.5, 0.5, 0.5] is supported", name_, key,
                  shown(*found));
  }
  void read_patches(ProcessorConfig& config) const {
    read_int("patch_size", 1, 64, config.patch_size);
    read_int("temporal_patch_size", 1, 16, config.temporal_patch_size);
    read_int("merge_size", 1, 8, config.merge_size);
    check_normalization("image_mean");
    check_normalization("image_std");
  }

 private:
  static std::string shown(const Json& value) { return printable(dump_json(value), 60); }

  std::string name_;
  Json json_;
};

bool present(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

}  // namespace

ProcessorConfig load_processor_config(const fs::path& folder) {
  ProcessorConfig config;
  const fs::path image = folder / "preprocessor_config.json", video = folder / "video_preprocessor_config.json";
  if (present(image)) {
    const ConfigFile file(image);
    file.read_patches(config);
    file.read_limits(config.image);
  }
  if (present(video)) {
    const ConfigFile file(video);
    ProcessorConfig own = config;
    file.read_patches(own);
    if (own.patch_size != config.patch_size || own.temporal_patch_size != config.temporal_patch_size ||
        own.merge_size != config.merge_size)
      throw_error(ErrorKind::kModel, kCode, "{} and {} disagree about the patch sizes", image.filename().string(),
                  video.filename().string());
    file.read_limits(config.video);
    file.read_fps(config.fps);
    file.read_int("min_frames", 1, 1'000'000, config.min_frames);
    file.read_int("max_frames", 1, 1'000'000, config.max_frames);
    if (config.min_frames > config.max_frames)
      throw_error(ErrorKind::kModel, kCode, "{}: min_frames {} is above max_frames {}", video.filename().string(),
                  config.min_frames, config.max_frames);
  }
  return config;
}

}  // namespace qvl
