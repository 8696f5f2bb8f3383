#include "serve/request_head.h"

#include <algorithm>
#include <cctype>

#include "base/utf8.h"

namespace qvl {
namespace {

[[noreturn]] void bad_request(const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "bad_request", message);
}

[[noreturn]] void uri_too_long() {
  throw Error(ErrorKind::kUriTooLong, "uri_too_long", "the request's address is longer than this server takes");
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

void check_raw_head(std::string_view head, const HeadLimits& limits) {
  size_t fields = 0;
  for (size_t begin = 0, line_number = 0; begin < head.size(); ++line_number) {
    const size_t end = head.find('\n', begin);
    if (end == head.npos || end == begin || head[end - 1] != '\r') bad_request("expected lines that end in CR LF");
    const std::string_view line = head.substr(begin, end - 1 - begin);
    begin = end + 1;
    if (line.find_first_of(std::string_view("\0\r", 2)) != line.npos)
      bad_request("found a control character in the head");
    if (line_number == 0) {
      if (line.size() > limits.max_target_bytes) uri_too_long();
      continue;
    }
    if (line.empty()) continue;
    if (line[0] == ' ' || line[0] == '\t') bad_request("found a folded header line, which HTTP no longer allows");
    if (++fields > limits.max_fields) {
      throw Error(ErrorKind::kHeadersTooLarge, "headers_too_large",
                  fmt::format("expected at most {} header fields", limits.max_fields));
    }
  }
}

void throw_head_too_long(std::string_view head) {
  if (head.find('\n') == head.npos) uri_too_long();
  throw Error(ErrorKind::kHeadersTooLarge, "headers_too_large",
              "the request's header fields are longer than this server takes");
}

void parse_target(std::string_view target, std::string& path, std::string& query) {
  if (target.empty() || target[0] != '/') bad_request("expected an address that begins with \"/\"");
  const size_t question = target.find('?');
  query = question == target.npos ? std::string() : std::string(target.substr(question + 1));
  const std::string_view raw = target.substr(0, question);
  path.clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '%') {
      path += raw[i];
      continue;
    }
    const int high = i + 2 < raw.size() ? hex_digit(raw[i + 1]) : -1;
    const int low = i + 2 < raw.size() ? hex_digit(raw[i + 2]) : -1;
    if (high < 0 || low < 0) bad_request("found an invalid % sequence in the address");
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  const bool control = std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (control || !utf8_valid(path)) bad_request("expected an address in UTF-8 without control characters");
}

void check_fields(const HttpRequest& request) {
  if (request.header_count("Host") > 1) bad_request("expected one Host header");
  if (request.header("Host").empty()) throw Error(ErrorKind::kInvalidRequest, "missing_host", "expected a Host header");
  if (lower(request.header("Upgrade")).find("websocket") != std::string::npos) {
    bad_request("this server has no WebSockets; streams are server-sent events");
  }
  if (const auto codings = request.header_count("Transfer-Encoding"); codings > 0) {
    if (codings > 1 || lower(request.header("Transfer-Encoding")) != "chunked") {
      throw Error(ErrorKind::kNotImplemented, "not_implemented", "expected Transfer-Encoding: chunked or none");
    }
    if (request.header_count("Content-Length") > 0) bad_request("found both Content-Length and Transfer-Encoding");
  }
}

void check_body_fields(const HttpRequest& request, BodyType expected) {
  if (const auto coding = lower(request.header("Content-Encoding")); !coding.empty() && coding != "identity") {
    throw Error(ErrorKind::kUnsupportedMedia, "unsupported_encoding",
                fmt::format("expected a body without Content-Encoding, found \"{}\"", printable(coding)));
  }
  std::string type = lower(request.header("Content-Type"));
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  const char* wanted = expected == BodyType::kJson ? "application/json" : "multipart/form-data";
  if (type != wanted) {
    throw Error(ErrorKind::kUnsupportedMedia, "unsupported_media_type",
                fmt::format("expected Content-Type: {}, found \"{}\"", wanted, printable(type)));
  }
}

}  // namespace qvl
