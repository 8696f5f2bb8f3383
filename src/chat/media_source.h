// Where a client's picture comes from: a data URI or bare base64. URLs are refused: the server fetches nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// Whitespace and the url-safe alphabet are allowed; padding may be missing only in the latter.
// Errors: kInvalidRequest "invalid_base64".
std::vector<std::byte> decode_base64(std::string_view text, const std::string& param);

// The bytes that a data URI or bare base64 holds, at most max_bytes. Errors (kInvalidRequest): "remote_media_disabled" for
// http and https, "url_scheme_not_allowed" for other schemes, "invalid_url", "invalid_base64", "image_too_large".
std::vector<std::byte> decode_media_source(std::string_view source, size_t max_bytes, const std::string& param);

}  // namespace qvl
