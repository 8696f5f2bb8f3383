// Pixels -> the rows that the vision tower's patch embedding takes (spec 3.4), and the two whole pipelines.
#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "media/preprocess.h"

namespace qvl {
namespace {

std::array<float, 256> make_normalized() {
  std::array<float, 256> table{};
  for (size_t u = 0; u < table.size(); ++u) table[u] = (static_cast<float>(u) - 127.5f) / 127.5f;
  return table;
}
const std::array<float, 256> kNormalized = make_normalized();

// One patch of one frame and channel: `side` rows of `side` samples.
void copy_patch(const uint8_t* from, size_t row_bytes, size_t side, float* to) {
  for (size_t y = 0; y < side; ++y, from += row_bytes)
    for (size_t x = 0; x < side; ++x) *to++ = kNormalized[from[3 * x]];
}

}  // namespace

Patches patchify(std::span<const Image> frames, const ProcessorConfig& config) {
  QVL_CHECK(!frames.empty(), "no frame");
  const size_t side = static_cast<size_t>(config.patch_size), merge = static_cast<size_t>(config.merge_size);
  const size_t temporal = static_cast<size_t>(config.temporal_patch_size);
  const int height = frames[0].height, width = frames[0].width;
  for (const Image& f : frames) QVL_CHECK(f.height == height && f.width == width, "frames of different sizes");
  QVL_CHECK(height > 0 && width > 0 && height % config.factor() == 0 && width % config.factor() == 0,
            "{}x{} is no multiple of {}", width, height, config.factor());
  const size_t groups = (frames.size() + temporal - 1) / temporal;
  const size_t grid_h = static_cast<size_t>(height) / side, grid_w = static_cast<size_t>(width) / side;
  const size_t row_bytes = size_t{3} * static_cast<size_t>(width), plane = side * side;

  Patches out;
  out.grid = {static_cast<int>(groups), static_cast<int>(grid_h), static_cast<int>(grid_w)};
  out.values.resize(groups * grid_h * grid_w * 3 * temporal * plane);
  float* to = out.values.data();
  for (size_t g = 0; g < groups; ++g) {
    for (size_t block = 0; block < (grid_h / merge) * (grid_w / merge); ++block) {
      const size_t block_row = block / (grid_w / merge), block_column = block % (grid_w / merge);
      for (size_t cell = 0; cell < merge * merge; ++cell) {
        const size_t row = block_row * merge + cell / merge, column = block_column * merge + cell % merge;
        const size_t corner = row * side * row_bytes + column * side * 3;
        for (size_t c = 0; c < 3; ++c) {
          for (size_t t = 0; t < temporal; ++t, to += plane) {
            const Image& frame = frames[std::min(g * temporal + t, frames.size() - 1)];
            copy_patch(frame.rgb.data() + corner + c, row_bytes, side, to);
          }
        }
      }
    }
  }
  return out;
}

Patches process_image(const Image& image, const ProcessorConfig& config, const PixelLimits& limits, Image* resized) {
  Image small = resize_bicubic(image, smart_resize(image.height, image.width, config.factor(), limits));
  Patches patches = patchify({&small, 1}, config);
  if (resized) *resized = std::move(small);
  return patches;
}

Patches process_video(std::span<const Image> frames, const ProcessorConfig& config, const PixelLimits& limits,
                      std::vector<Image>* resized) {
  QVL_CHECK(!frames.empty(), "no frame");
  const Size size = smart_resize_video(static_cast<int>(frames.size()), frames[0].height, frames[0].width,
                                       config.temporal_patch_size, config.factor(), limits);
  std::vector<Image> small;
  small.reserve(frames.size());
  for (const Image& frame : frames) {
    QVL_CHECK(frame.height == frames[0].height && frame.width == frames[0].width, "frames of different sizes");
    small.push_back(resize_bicubic(frame, size));
  }
  Patches patches = patchify(small, config);
  if (resized) *resized = std::move(small);
  return patches;
}

}  // namespace qvl
