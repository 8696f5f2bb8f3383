#include "media/data_uri.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "media/sniff.h"

namespace qvl {
namespace {

constexpr uint8_t kInvalid = 0xff, kSpace = 0xfe, kPad = 0xfd;

constexpr std::array<uint8_t, 256> make_table() {
  std::array<uint8_t, 256> table{};
  table.fill(kInvalid);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < kAlphabet.size(); ++i) table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  table['-'] = 62;
  table['_'] = 63;
  table['='] = kPad;
  for (const char c : {' ', '\t', '\r', '\n', '\f', '\v'}) table[static_cast<uint8_t>(c)] = kSpace;
  return table;
}
constexpr std::array<uint8_t, 256> kTable = make_table();

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

[[noreturn]] void invalid(const char* reason) {
  throw_error(ErrorKind::kInvalidRequest, "invalid_base64", "the picture's base64 is invalid: {}", reason);
}

// Behind the comma of a data URI, or the whole of bare base64.
std::string_view payload(std::string_view text) {
  if (!is_data_uri(text)) return text;
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) invalid("the data URI has no comma");
  std::string_view head = text.substr(0, comma);
  while (head.ends_with(' ')) head.remove_suffix(1);
  const size_t semicolon = head.rfind(';');
  if (semicolon == std::string_view::npos || !equals_ignoring_case(head.substr(semicolon + 1), "base64"))
    invalid("the data URI does not say ;base64");
  return text.substr(comma + 1);
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
  return std::nullopt;
}

// Calls sink(class or value) for every character that is not space.
template <typename Sink>
void scan(std::string_view text, const Sink& sink) {
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t c = static_cast<uint8_t>(text[i]);
    if (c == '%' && i + 2 < text.size()) {
      const auto high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (!high || !low) invalid("a % escape is malformed");
      c = static_cast<uint8_t>(*high * 16 + *low);
      i += 2;
    }
    const uint8_t value = kTable[c];
    if (value == kInvalid) invalid("a character is not of its alphabet");
    if (value != kSpace) sink(value);
  }
}

const char* subtype(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg: return "jpeg";
    case ImageFormat::kPng: return "png";
    case ImageFormat::kWebp: return "webp";
    case ImageFormat::kGif: return "gif";
    case ImageFormat::kBmp: return "bmp";
    case ImageFormat::kTiff: return "tiff";
    default: return "heic";
  }
}

}  // namespace

bool is_data_uri(std::string_view text) { return text.size() >= 5 && equals_ignoring_case(text.substr(0, 5), "data:"); }

std::vector<std::byte> decode_data_uri(std::string_view text, size_t max_bytes) {
  const std::string_view body = payload(text);
  size_t digits = 0, pads = 0;
  scan(body, [&](uint8_t value) {
    if (value == kPad) {
      ++pads;
      return;
    }
    if (pads > 0) invalid("there is text behind the padding");
    ++digits;
  });
  if (digits % 4 == 1) invalid("its length is impossible");
  if (pads > 0 && (pads > 2 || (digits + pads) % 4 != 0)) invalid("the padding does not fit the length");
  const size_t size = digits / 4 * 3 + (digits % 4 == 0 ? 0 : digits % 4 - 1);
  if (size > max_bytes)
    throw_error(ErrorKind::kInvalidRequest, "image_too_large", "the picture has {} bytes, the limit is {}", size,
                max_bytes);

  std::vector<std::byte> out;
  out.reserve(size);
  uint32_t bits = 0;
  int held = 0;
  scan(body, [&](uint8_t value) {
    if (value == kPad) return;
    bits = (bits << 6 | value) & 0xffff;
    held += 6;
    if (held < 8) return;
    held -= 8;
    out.push_back(static_cast<std::byte>(bits >> held & 0xff));
  });
  return out;
}

std::string encode_data_uri(std::span<const std::byte> picture) {
  const auto format = media::sniff(picture).format;
  if (!format) throw_error(ErrorKind::kInvalidRequest, "image_format_unknown", "expected a picture, found bytes of no known format");
  std::string out = fmt::format("data:image/{};base64,", subtype(*format));
  const size_t head = out.size();
  out.resize(head + (picture.size() + 2) / 3 * 4 + 1);  // EVP_EncodeBlock writes a final NUL
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + head),
                                     reinterpret_cast<const unsigned char*>(picture.data()), static_cast<int>(picture.size()));
  out.resize(head + static_cast<size_t>(length));
  return out;
}

}  // namespace qvl
