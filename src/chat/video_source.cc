#include "chat/video_source.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "media/data_uri.h"

namespace qvl {

std::vector<std::string> split_video_frames(std::string_view source, size_t max_frames, const std::string& param) {
  const size_t comma = source.find(',');
  std::string head(source.substr(0, std::min<size_t>(comma, 256)));
  std::transform(head.begin(), head.end(), head.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (comma == source.npos || !is_data_uri(source) || !head.starts_with("data:video/jpeg") ||
      !head.ends_with(";base64")) {
    throw Error(
        ErrorKind::kInvalidRequest, "unsupported",
        fmt::format("{}: compressed videos and videos by URL are not read; send the frames, as "
                    "\"data:video/jpeg;base64,F1,F2,...\" or {{\"type\":\"video\",\"video\":[pictures],\"fps\":2}}",
                    param),
        param);
  }
  source.remove_prefix(comma + 1);
  const auto count = static_cast<size_t>(std::count(source.begin(), source.end(), ',')) + 1;
  if (count > max_frames) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("{}: expected at most {} frames, found {}", param, max_frames, count), param);
  }
  std::vector<std::string> frames;
  for (size_t i = 0; i < count; ++i) {
    const size_t end = std::min(source.find(','), source.size());
    frames.emplace_back(source.substr(0, end));
    source.remove_prefix(std::min(end + 1, source.size()));
  }
  return frames;
}

}  // namespace qvl
