#include "chat/media_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

#include "base/error.h"

namespace qvl {
namespace {

constexpr int8_t kInvalid = -1, kSpace = -2, kPad = -3;

constexpr std::array<int8_t, 256> make_base64_table() {
  std::array<int8_t, 256> table{};
  for (auto& entry : table) entry = kInvalid;
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < alphabet.size(); ++i) table[static_cast<uint8_t>(alphabet[i])] = static_cast<int8_t>(i);
  table['-'] = 62;
  table['_'] = 63;
  for (const char c : std::string_view(" \t\r\n\f\v")) table[static_cast<uint8_t>(c)] = kSpace;
  table['='] = kPad;
  return table;
}
constexpr std::array<int8_t, 256> kBase64 = make_base64_table();

[[noreturn]] void bad_base64(const std::string& param, const char* found) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_base64", fmt::format("expected base64, found {}", found), param);
}

bool starts_with_no_case(std::string_view text, std::string_view lower_prefix) {
  return text.size() >= lower_prefix.size() && std::equal(lower_prefix.begin(), lower_prefix.end(), text.begin(), [](char p, char c) {
           return p == static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
         });
}

// "ftp" of "ftp://..."; empty where the text does not begin with a scheme.
std::string_view url_scheme(std::string_view text) {
  const size_t colon = text.substr(0, 40).find(':');
  if (colon == text.npos || colon == 0) return {};
  const std::string_view scheme = text.substr(0, colon);
  const bool valid = std::all_of(scheme.begin(), scheme.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '+' || c == '-' || c == '.';
  });
  return valid ? scheme : std::string_view{};
}

}  // namespace

std::vector<std::byte> decode_base64(std::string_view text, const std::string& param) {
  std::vector<std::byte> out;
  out.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  size_t digits = 0, pads = 0;
  bool url_safe = false;
  for (const char c : text) {
    const int8_t value = kBase64[static_cast<uint8_t>(c)];
    if (value == kSpace) continue;
    if (value == kPad) {
      ++pads;
      continue;
    }
    if (value == kInvalid) bad_base64(param, "a character outside of its alphabet");
    if (pads > 0) bad_base64(param, "padding before the end");
    url_safe |= c == '-' || c == '_';
    bits = (bits << 6) | static_cast<uint32_t>(value);
    if (++digits % 4 == 0) {
      out.push_back(static_cast<std::byte>(bits >> 16));
      out.push_back(static_cast<std::byte>(bits >> 8));
      out.push_back(static_cast<std::byte>(bits));
    }
  }
  const size_t rest = digits % 4;
  const bool padded = pads == (4 - rest) % 4;
  if (rest == 1 || !(padded || (url_safe && pads == 0))) bad_base64(param, "wrong padding: the text may be cut off");
  if (rest >= 2) out.push_back(static_cast<std::byte>(bits >> (rest == 2 ? 4 : 10)));
  if (rest == 3) out.push_back(static_cast<std::byte>(bits >> 2));
  return out;
}

std::vector<std::byte> decode_media_source(std::string_view source, size_t max_bytes, const std::string& param) {
  std::string_view payload = source;
  if (starts_with_no_case(source, "data:")) {
    const size_t comma = source.find(',');
    if (comma == source.npos) {
      throw Error(ErrorKind::kInvalidRequest, "invalid_url", "expected a data URI \"data:image/png;base64,...\", found no comma",
                  param);
    }
    const std::string_view head = source.substr(0, comma);
    if (head.size() < 7 || !starts_with_no_case(head.substr(head.size() - 7), ";base64")) {
      throw Error(ErrorKind::kInvalidRequest, "invalid_base64", "expected a data URI in base64, found one without \";base64\"",
                  param);
    }
    payload = source.substr(comma + 1);
  } else if (starts_with_no_case(source, "http:") || starts_with_no_case(source, "https:")) {
    throw Error(ErrorKind::kInvalidRequest, "remote_media_disabled",
                "this server fetches no URLs; send the picture as a data URI or as base64", param);
  } else if (const std::string_view scheme = url_scheme(source); !scheme.empty()) {
    throw Error(ErrorKind::kInvalidRequest, "url_scheme_not_allowed",
                fmt::format("expected a data URI or base64, found a URL with the scheme \"{}\"", printable(scheme)), param);
  }
  // 4/3 for base64, with room for line breaks.
  if (payload.size() / 2 > max_bytes) {
    throw Error(ErrorKind::kInvalidRequest, "image_too_large",
                fmt::format("expected a picture of at most {} bytes, found {} bytes of base64", max_bytes, payload.size()), param);
  }
  return decode_base64(payload, param);
}

}  // namespace qvl
