// Bodies of type multipart/form-data (RFC 7578). Pure functions on bytes from the network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qvl {

struct MultipartPart {
  std::string name;
  std::string filename;   // as sent; empty where the part is no file
  std::string_view body;  // of the whole body given
};

struct MultipartLimits {
  size_t max_parts = 64;
  size_t max_head_bytes = 4096;  // of one part
};

// content_type: the header's value, with its boundary. Preamble and epilogue are ignored, as the format says.
// Errors: kInvalidRequest "invalid_multipart", "too_many".
std::vector<MultipartPart> parse_multipart(std::string_view content_type, std::string_view body,
                                           const MultipartLimits& limits = {});

}  // namespace qvl
