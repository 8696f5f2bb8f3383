// UTF-8 by the Unicode standard's rules: shortest form only, no surrogates, at most U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace qvl {

struct Utf8Step {
  char32_t code_point;  // U+FFFD where invalid
  size_t length;        // bytes consumed, >= 1; of invalid text the maximal subpart (Unicode 15, section 3.9)
  bool valid;
  bool incomplete;  // invalid only because the text ends inside the sequence
};

// Decodes the code point at text[pos]; pos < text.size().
Utf8Step utf8_next(std::string_view text, size_t pos);
bool utf8_valid(std::string_view text);
void utf8_append(std::string& out, char32_t code_point);
// Invalid bytes become U+FFFD, one for each maximal subpart.
std::string utf8_repair(std::string_view text);

}  // namespace qvl
