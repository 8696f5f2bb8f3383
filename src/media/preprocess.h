// Pixels -> patches, exactly as the reference processor computes them (spec 3 and 4). Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/image.h"

namespace qvl {

struct PixelLimits {
  int64_t min_pixels = 65536;     // config: size.shortest_edge, an area
  int64_t max_pixels = 16777216;  // config: size.longest_edge, an area; for videos over all frames
};

// The most that a request may ask for, as min_pixels or max_pixels: the decoder's own limit.
inline constexpr int64_t kMaxPixelBudget = int64_t{64} * 1000 * 1000;

// The limits of one picture or video: `base` with what the request overrides. A bound given alone moves the other where
// it stands in the way. Errors: kInvalidRequest "invalid_value" for values outside 1..kMaxPixelBudget and for min >
// max.
PixelLimits override_limits(PixelLimits base, std::optional<int64_t> min_pixels, std::optional<int64_t> max_pixels);

struct ProcessorConfig {
  PixelLimits image;
  PixelLimits video = {4096, 25165824};
  int64_t pixel_budget = kMaxPixelBudget;  // of a picture, whatever its request asks for
  int patch_size = 16, temporal_patch_size = 2, merge_size = 2;
  double fps = 2;
  int min_frames = 4, max_frames = 768;
  int factor() const { return patch_size * merge_size; }  // 32
};

// From preprocessor_config.json and video_preprocessor_config.json; a missing file gives the defaults above.
// Errors: kModel "model_config".
ProcessorConfig load_processor_config(const std::filesystem::path& folder);

struct Size {
  int height, width;
  bool operator==(const Size&) const = default;
};

// Spec 3.2. Errors: kInvalidRequest "image_aspect_ratio".
Size smart_resize(int height, int width, int factor, const PixelLimits& limits);
// Spec 4.1; num_frames is the number of sampled frames. Errors: kInvalidRequest "video_aspect_ratio",
// "video_too_small".
Size smart_resize_video(int num_frames, int height, int width, int temporal_factor, int factor,
                        const PixelLimits& limits);

// Spec 3.3, the torchvision row: bit-exact.
Image resize_bicubic(const Image& image, Size size);

struct Grid {
  int t = 0, h = 0, w = 0;  // temporal groups, patch rows, patch columns
  int64_t patches() const { return int64_t{t} * h * w; }
  bool operator==(const Grid&) const = default;
};

struct Patches {
  Grid grid;
  std::vector<float> values;  // [grid.patches(), 3 * temporal * patch * patch], rows in merge-block order (spec 3.4)
};

// frames: all of one size, a multiple of factor(); a still picture is one frame; an odd count repeats the last.
Patches patchify(std::span<const Image> frames, const ProcessorConfig& config);
// smart_resize + resize_bicubic + patchify for one picture. resized, where given, receives the resized picture.
Patches process_image(const Image& image, const ProcessorConfig& config, const PixelLimits& limits,
                      Image* resized = nullptr);
// The same for the sampled frames of a video, all of one size.
Patches process_video(std::span<const Image> frames, const ProcessorConfig& config, const PixelLimits& limits,
                      std::vector<Image>* resized = nullptr);

struct FrameSampling {
  std::vector<int> indices;        // source frame numbers
  std::vector<double> timestamps;  // seconds, one for every temporal group
  std::vector<std::string> texts;  // "<0.2 seconds>" for each
};
// Spec 4.1 and 4.2. video_fps <= 0 means unknown: 24. Errors: "video_no_frames", "invalid_value" for a bad rate.
FrameSampling sample_frames(int total_num_frames, double video_fps, double target_fps, int min_frames, int max_frames);
// As many frames as the request says, spread evenly.
// Errors: "video_no_frames", "invalid_value" outside 2..total_num_frames.
FrameSampling sample_num_frames(int total_num_frames, double video_fps, int num_frames);
FrameSampling frame_times(std::vector<int> indices, double video_fps, int temporal_patch_size = 2);

}  // namespace qvl
