// Pictures inside JSON: data URIs and bare base64. Thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// True where the text begins with "data:", in any case.
bool is_data_uri(std::string_view text);

// The bytes of "data:[type][;parameters];base64,DATA" or of bare base64. Both alphabets are read (+/ and -_), spaces
// and line ends are skipped, %XX escapes are resolved, padding may be left out. The declared type is ignored. "" gives
// no bytes. Errors (kInvalidRequest): "invalid_base64"; "image_too_large" where the bytes would be more than max_bytes,
// told from the text's length before anything is allocated.
std::vector<std::byte> decode_data_uri(std::string_view text, size_t max_bytes = size_t{20} << 20);

// "data:image/png;base64,..." with the type that the bytes show. Errors: kInvalidRequest "image_format_unknown".
std::string encode_data_uri(std::span<const std::byte> picture);

}  // namespace qvl
