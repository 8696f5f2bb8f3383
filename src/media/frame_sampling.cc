// Which frames of a video the model sees and what time it is told for them (spec 4.1 and 4.2).
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "media/preprocess.h"

namespace qvl {
namespace {

constexpr double kUnknownFps = 24.0;

double known_fps(double fps) { return std::isfinite(fps) && fps > 0 ? fps : kUnknownFps; }

// numpy.linspace(0, total - 1, count).round(): the step first, then its multiples, the last point exact.
std::vector<int> spread(int total, int count) {
  std::vector<int> indices(static_cast<size_t>(count));
  const double step = count > 1 ? static_cast<double>(total - 1) / (count - 1) : 0.0;
  for (int i = 0; i < count; ++i) indices[static_cast<size_t>(i)] = static_cast<int>(std::nearbyint(i * step));
  if (count > 1) indices.back() = total - 1;
  return indices;
}

void check_frames(int total) {
  if (total < 1) throw_error(ErrorKind::kInvalidRequest, "video_no_frames", "the video has no frames");
}

}  // namespace

FrameSampling sample_frames(int total_num_frames, double video_fps, double target_fps, int min_frames, int max_frames) {
  check_frames(total_num_frames);
  if (!std::isfinite(target_fps) || target_fps <= 0)
    throw Error(ErrorKind::kInvalidRequest, "invalid_value", "fps must be a number greater than 0", "fps");
  if (min_frames < 1 || max_frames < min_frames)
    throw_error(ErrorKind::kInvalidRequest, "invalid_value", "expected 1 <= min_frames <= max_frames, found {} and {}",
                min_frames, max_frames);
  const double fps = known_fps(video_fps);
  // Compared as doubles: the product may be beyond int.
  const double wanted = std::trunc(total_num_frames / fps * target_fps);
  const double count = std::min<double>(std::clamp<double>(wanted, min_frames, max_frames), total_num_frames);
  return frame_times(spread(total_num_frames, static_cast<int>(count)), fps);
}

FrameSampling sample_num_frames(int total_num_frames, double video_fps, int num_frames) {
  check_frames(total_num_frames);
  if (num_frames < 2 || num_frames > total_num_frames)
    throw Error(ErrorKind::kInvalidRequest, "invalid_value",
                fmt::format("nframes is {}, expected 2..{}, the video's frames", num_frames, total_num_frames),
                "nframes");
  return frame_times(spread(total_num_frames, num_frames), video_fps);
}

FrameSampling frame_times(std::vector<int> indices, double video_fps, int temporal_patch_size) {
  QVL_CHECK(temporal_patch_size > 0, "groups of {}", temporal_patch_size);
  const double fps = known_fps(video_fps);
  FrameSampling out;
  const size_t step = static_cast<size_t>(temporal_patch_size);
  for (size_t i = 0; i < indices.size(); i += step) {
    // An incomplete last group repeats the last frame.
    const size_t last = std::min(i + step, indices.size()) - 1;
    const double time = (indices[i] / fps + indices[last] / fps) / 2;
    out.timestamps.push_back(time);
    // printf's %.1f, and so fmt's, rounds the exact binary value, ties to even: 0.25 gives 0.2.
    out.texts.push_back(fmt::format("<{:.1f} seconds>", time));
  }
  out.indices = std::move(indices);
  return out;
}

}  // namespace qvl
