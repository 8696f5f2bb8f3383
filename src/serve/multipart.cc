#include "serve/multipart.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/error.h"

namespace qvl {
namespace {

constexpr size_t kMaxBoundaryBytes = 70;  // RFC 2046, 5.1.1

[[noreturn]] void invalid(const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_multipart", "multipart body: " + message);
}

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool equal_no_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// A quoted string's contents from behind its opening quote; `at` moves behind the closing one.
std::string quoted(std::string_view header, size_t& at) {
  std::string value;
  for (; at < header.size() && header[at] != '"'; ++at) {
    if (header[at] == '\\' && at + 1 < header.size()) ++at;
    value += header[at];
  }
  if (at == header.size()) invalid("found a quote that is not closed");
  ++at;
  return value;
}

// The parameter `name` of a header such as `form-data; name="files"; filename="a.png"`.
std::optional<std::string> parameter(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at != header.npos && at < header.size()) {
    const size_t equals = header.find_first_of("=;", at + 1);
    if (equals == header.npos) return std::nullopt;
    if (header[equals] == ';') {  // a parameter without a value
      at = equals;
      continue;
    }
    const std::string_view key = trim(header.substr(at + 1, equals - at - 1));
    size_t end = equals + 1;
    while (end < header.size() && (header[end] == ' ' || header[end] == '\t')) ++end;
    std::string value;
    if (end < header.size() && header[end] == '"') {
      value = quoted(header, ++end);
      end = header.find(';', end);
    } else {
      const size_t begin = end;
      end = header.find(';', begin);
      value = trim(header.substr(begin, end == header.npos ? end : end - begin));
    }
    if (equal_no_case(key, name)) return value;
    at = end;
  }
  return std::nullopt;
}

std::string find_boundary(std::string_view content_type) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kMaxBoundaryBytes) {
    invalid(fmt::format("expected a boundary of 1 to {} characters in Content-Type", kMaxBoundaryBytes));
  }
  for (const char c : *boundary) {
    if (c < 0x20 || c > 0x7e) invalid("expected a boundary of printable characters");
  }
  return *boundary;
}

void read_head(std::string_view head, MultipartPart& part) {
  bool found = false;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == head.npos ? head.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == line.npos || line.find('\0') != line.npos)
      invalid("expected lines of the form \"Name: value\" before a part");
    if (!equal_no_case(line.substr(0, colon), "Content-Disposition")) continue;
    if (found) invalid("expected one Content-Disposition a part");
    found = true;
    const std::string_view value = trim(line.substr(colon + 1));
    if (!equal_no_case(trim(value.substr(0, value.find(';'))), "form-data"))
      invalid("expected parts of the disposition form-data");
    part.name = parameter(value, "name").value_or("");
    part.filename = parameter(value, "filename").value_or("");
  }
  if (!found || part.name.empty()) invalid("expected a Content-Disposition with a name before each part");
}

}  // namespace

std::vector<MultipartPart> parse_multipart(std::string_view content_type, std::string_view body,
                                           const MultipartLimits& limits) {
  const std::string delimiter = "\r\n--" + find_boundary(content_type);
  const std::string_view opening = std::string_view(delimiter).substr(2);
  size_t at = opening.size();
  if (!body.starts_with(opening)) {
    const size_t found = body.find(delimiter);
    if (found == body.npos) invalid("the boundary of Content-Type does not occur");
    at = found + delimiter.size();
  }
  std::vector<MultipartPart> parts;
  while (true) {
    if (body.substr(at).starts_with("--")) return parts;
    while (at < body.size() && (body[at] == ' ' || body[at] == '\t')) ++at;
    if (!body.substr(at).starts_with("\r\n")) invalid("expected a line end behind a boundary");
    if (parts.size() == limits.max_parts) {
      throw Error(ErrorKind::kInvalidRequest, "too_many",
                  fmt::format("multipart body: expected at most {} parts", limits.max_parts));
    }
    at += 2;
    const size_t head_end = body.substr(at, limits.max_head_bytes).find("\r\n\r\n");
    if (head_end == body.npos) {
      invalid(fmt::format("expected an empty line within {} bytes of a part", limits.max_head_bytes));
    }
    MultipartPart& part = parts.emplace_back();
    read_head(body.substr(at, head_end), part);
    // The line end before the delimiter belongs to it, and may be the empty line's own where the part is empty.
    const size_t begin = at + head_end + 4, end = body.find(delimiter, begin - 2);
    if (end == body.npos) invalid("a part has no end: the closing boundary is missing");
    part.body = body.substr(begin, end < begin ? 0 : end - begin);
    at = end + delimiter.size();
  }
}

}  // namespace qvl
