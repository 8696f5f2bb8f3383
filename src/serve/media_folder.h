// Files below one folder, for pictures by path. Thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

class MediaFolder {
 public:
  // Errors: kBadFlag "bad_flag" where it is no folder that can be read.
  explicit MediaFolder(const std::string& folder);
  ~MediaFolder();
  MediaFolder(const MediaFolder&) = delete;
  MediaFolder& operator=(const MediaFolder&) = delete;

  // path: "file:///folder/a%20b.png", an absolute path below the folder, or a path from it. Nothing above the folder is
  // reached: no "..", no link that leads out, no device, no folder. Errors (kInvalidRequest): "media_path_not_allowed",
  // "media_not_found", "image_too_large".
  std::vector<std::byte> read(std::string_view path, size_t max_bytes) const;

 private:
  std::string given_, canonical_;  // without a final "/"
  int folder_ = -1;
};

}  // namespace qvl
