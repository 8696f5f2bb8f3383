// Where a client's picture comes from: a data URI or bare base64. URLs are refused: the server fetches nothing.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// The bytes of a data URI or of bare base64. Errors (kInvalidRequest): "remote_media_disabled" for http and https,
// "url_scheme_not_allowed" for other schemes, and those of decode_data_uri().
std::vector<std::byte> decode_media_source(std::string_view source, size_t max_bytes, const std::string& param);

}  // namespace qvl
