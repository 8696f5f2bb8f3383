// Where a client's picture comes from: a data URI or bare base64; a URL or a file only where the server's owner allows it.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// What lies outside of the request. Thread-safe. Both may throw kInvalidRequest.
class MediaAccess {
 public:
  virtual ~MediaAccess() = default;
  virtual bool allows_urls() const = 0;
  virtual bool allows_files() const = 0;
  // The bytes behind an http or https URL; waits. abandoned, where given: once true it ends soon.
  virtual std::vector<std::byte> fetch(std::string_view url, size_t max_bytes, const std::atomic<bool>* abandoned) const = 0;
  // The bytes of a file, by a path or a file:/// URL.
  virtual std::vector<std::byte> read_file(std::string_view path, size_t max_bytes) const = 0;
};

// The bytes of a data URI, of bare base64, or of what `access` allows (nullptr: nothing). A text without a scheme that has
// a dot in it is a path, for base64 has none. Errors (kInvalidRequest): "remote_media_disabled" for http and https,
// "url_scheme_not_allowed" for other schemes, those of MediaAccess and those of decode_data_uri().
std::vector<std::byte> decode_media_source(std::string_view source, size_t max_bytes, const std::string& param,
                                           const MediaAccess* access = nullptr,
                                           const std::atomic<bool>* abandoned = nullptr);

}  // namespace qvl
