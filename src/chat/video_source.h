// Where a client's video comes from. Compressed video is not read: a video is the list of its frames.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// The frames of "data:video/jpeg;base64,F1,F2,...", each as base64 of a picture in any format that is read. Errors
// (kInvalidRequest): "unsupported" for everything else, saying what to send instead; "too_many" past max_frames.
std::vector<std::string> split_video_frames(std::string_view source, size_t max_frames, const std::string& param);

}  // namespace qvl
