// The sizes that the model sees: spec 3.2 and 4.1, operation by operation in double precision.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "media/preprocess.h"

namespace qvl {
namespace {

constexpr int kMaxAspectRatio = 200;

void check_aspect(int height, int width, const char* code) {
  if (height < 1 || width < 1)
    throw_error(ErrorKind::kInvalidRequest, code, "expected at least 1x1 pixels, found {}x{}", width, height);
  if (int64_t{std::max(height, width)} > int64_t{kMaxAspectRatio} * std::min(height, width))
    throw_error(ErrorKind::kInvalidRequest, code, "{}x{} pixels: one side is more than {} times the other", width,
                height, kMaxAspectRatio);
}

// nearbyint rounds half to even in the default rounding mode, which nothing here changes.
int nearest_multiple(int side, int factor) {
  return static_cast<int>(std::nearbyint(static_cast<double>(side) / factor)) * factor;
}

int shrink(int side, double beta, int factor) {
  return std::max(factor, static_cast<int>(std::floor(side / beta / factor)) * factor);
}
int grow(int side, double beta, int factor) {
  return std::max(factor, static_cast<int>(std::ceil(side * beta / factor)) * factor);
}

// pixels_for_test: area of the first rounding; pixels_for_scale: of the source.
Size fit(int height, int width, int factor, double frames_rounded, double frames, const PixelLimits& limits) {
  QVL_CHECK(factor > 0 && limits.min_pixels > 0 && limits.max_pixels >= limits.min_pixels, "factor {} limits {}..{}",
            factor, limits.min_pixels, limits.max_pixels);
  const Size size{nearest_multiple(height, factor), nearest_multiple(width, factor)};
  const double area = frames_rounded * size.height * size.width;
  const double source = frames * height * width;
  const double most = static_cast<double>(limits.max_pixels), least = static_cast<double>(limits.min_pixels);
  if (area > most) {
    const double beta = std::sqrt(source / most);
    return {shrink(height, beta, factor), shrink(width, beta, factor)};
  }
  if (area < least) {
    const double beta = std::sqrt(least / source);
    return {grow(height, beta, factor), grow(width, beta, factor)};
  }
  // A side that rounded to 0 makes the area 0 and was handled above; least > 0.
  return size;
}

}  // namespace

Size smart_resize(int height, int width, int factor, const PixelLimits& limits) {
  check_aspect(height, width, "image_aspect_ratio");
  return fit(height, width, factor, 1.0, 1.0, limits);
}

Size smart_resize_video(int num_frames, int height, int width, int temporal_factor, int factor,
                        const PixelLimits& limits) {
  QVL_CHECK(num_frames > 0 && temporal_factor > 0, "{} frames in groups of {}", num_frames, temporal_factor);
  if (height < factor || width < factor)
    throw_error(ErrorKind::kInvalidRequest, "video_too_small",
                "the video has {}x{} pixels, expected at least {} a side", width, height, factor);
  check_aspect(height, width, "video_aspect_ratio");
  const int64_t groups = (int64_t{num_frames} + temporal_factor - 1) / temporal_factor;
  return fit(height, width, factor, static_cast<double>(groups * temporal_factor), num_frames, limits);
}

PixelLimits override_limits(PixelLimits base, std::optional<int64_t> min_pixels, std::optional<int64_t> max_pixels) {
  const auto check = [](std::optional<int64_t> value, const char* name) {
    if (value && (*value < 1 || *value > kMaxPixelBudget))
      throw Error(ErrorKind::kInvalidRequest, "invalid_value",
                  fmt::format("{} is {}, expected 1..{}", name, *value, kMaxPixelBudget), name);
  };
  check(min_pixels, "min_pixels");
  check(max_pixels, "max_pixels");
  if (min_pixels && max_pixels && *min_pixels > *max_pixels)
    throw Error(ErrorKind::kInvalidRequest, "invalid_value",
                fmt::format("min_pixels {} is greater than max_pixels {}", *min_pixels, *max_pixels), "min_pixels");
  // One bound given alone moves the other out of its way: who asks for a small picture must not fight a default.
  if (max_pixels) {
    base.max_pixels = *max_pixels;
    base.min_pixels = std::min(base.min_pixels, *max_pixels);
  }
  if (min_pixels) {
    base.min_pixels = *min_pixels;
    base.max_pixels = std::max(base.max_pixels, *min_pixels);
  }
  return base;
}

}  // namespace qvl
