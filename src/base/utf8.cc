#include "base/utf8.h"

namespace qvl {

Utf8Step utf8_next(std::string_view text, size_t pos) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(pos);
  if (lead < 0x80) return {lead, 1, true, false};
  // Table 3-7 of the standard: the second byte's range depends on the lead byte.
  unsigned length, low = 0x80, high = 0xbf;
  char32_t value;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2, value = lead & 0x1f;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3, value = lead & 0x0f;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4, value = lead & 0x07;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  } else {
    return {0xfffd, 1, false, false};
  }
  for (unsigned i = 1; i < length; ++i) {
    if (pos + i >= text.size()) return {0xfffd, i, false, true};
    const unsigned next = byte(pos + i);
    if (next < low || next > high) return {0xfffd, i, false, false};
    value = value << 6 | (next & 0x3f);
    low = 0x80, high = 0xbf;
  }
  return {value, length, true, false};
}

bool utf8_valid(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = utf8_next(text, i);
    if (!step.valid) return false;
    i += step.length;
  }
  return true;
}

void utf8_append(std::string& out, char32_t c) {
  const auto put = [&](char32_t b) { out += static_cast<char>(b); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xc0 | c >> 6), put(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    put(0xe0 | c >> 12), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  } else {
    put(0xf0 | c >> 18), put(0x80 | (c >> 12 & 0x3f)), put(0x80 | (c >> 6 & 0x3f)), put(0x80 | (c & 0x3f));
  }
}

std::string utf8_repair(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = utf8_next(text, i);
    if (step.valid) {
      out += text.substr(i, step.length);
    } else {
      utf8_append(out, 0xfffd);
    }
    i += step.length;
  }
  return out;
}

}  // namespace qvl
