#include "serve/http_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/error.h"

namespace qvl {
namespace {

constexpr size_t kMaxUrlBytes = 2048, kMaxHostBytes = 253, kMaxLabelBytes = 63;

[[noreturn]] void invalid(const char* what) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_url", fmt::format("the URL is not valid: {}", what));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// The text of the address, canonical; nullopt where it is none in a form that all parsers read alike.
std::optional<std::string> canonical_address(const std::string& text, bool v6) {
  std::array<uint8_t, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int family = v6 ? AF_INET6 : AF_INET;
  if (inet_pton(family, text.c_str(), bytes.data()) != 1) return std::nullopt;
  inet_ntop(family, bytes.data(), out.data(), out.size());
  return std::string(out.data());
}

// A host whose last label begins with a digit is an address to some parsers ("0x7f.1", "127.1"): no such name exists.
bool looks_like_address(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return std::isdigit(static_cast<unsigned char>(last.front())) != 0;
}

void check_name(std::string_view host) {
  if (host.size() > kMaxHostBytes) invalid("the host is too long");
  while (true) {
    const size_t dot = host.find('.');
    const std::string_view label = host.substr(0, dot);
    if (label.empty()) invalid("the host has an empty part");
    if (label.size() > kMaxLabelBytes || label.front() == '-' || label.back() == '-') invalid("the host is no name");
    for (const char c : label) {
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') invalid("the host is no name");
    }
    if (dot == host.npos) return;
    host.remove_prefix(dot + 1);
  }
}

int parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) invalid("expected a port from 1 to 65535");
  int port = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') invalid("expected a port from 1 to 65535");
    port = port * 10 + (c - '0');
  }
  if (text.front() == '0' || port > 65535) invalid("expected a port from 1 to 65535");
  return port;
}

void parse_authority(std::string_view text, HttpUrl& url) {
  if (text.empty()) invalid("it has no host");
  if (text.find('@') != text.npos) invalid("user names are not allowed");
  std::string_view host = text, port;
  const bool bracket = text.front() == '[';
  const size_t colon = bracket ? text.find("]:") : text.find(':');
  if (colon != text.npos) {
    const size_t at = colon + (bracket ? 1 : 0);
    host = text.substr(0, at);
    port = text.substr(at + 1);
    url.port = parse_port(port);
  }
  if (bracket) {
    if (host.size() < 4 || host.back() != ']') invalid("expected an IPv6 address in brackets");
    const auto address = canonical_address(std::string(host.substr(1, host.size() - 2)), true);
    if (!address) invalid("expected an IPv6 address in brackets");
    url.host = *address;
    url.address = true;
    return;
  }
  url.host = lower(host);
  check_name(url.host);
  if (!looks_like_address(url.host)) return;
  const auto address = canonical_address(url.host, false);
  if (!address || *address != url.host) {
    throw Error(ErrorKind::kInvalidRequest, "url_host_not_allowed", "the URL's host is an address in an unusual spelling");
  }
  url.address = true;
}

bool has_prefix(std::span<const uint8_t> bytes, std::initializer_list<uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), bytes.begin());
}

struct Block {
  uint32_t base;
  int bits;
};
// IANA's special-purpose registry, what is not globally reachable in it, and multicast.
constexpr Block kNotGlobal[] = {{0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
                                {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
                                {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 4},  {0xf0000000, 4}};

bool is_global_v4(std::span<const uint8_t> b) {
  const uint32_t address = uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
  return std::none_of(std::begin(kNotGlobal), std::end(kNotGlobal),
                      [&](const Block& block) { return address >> (32 - block.bits) == block.base >> (32 - block.bits); });
}

bool is_global_v6(std::span<const uint8_t> b) {
  if (has_prefix(b, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return is_global_v4(b.subspan(12));        // mapped
  if (has_prefix(b, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_global_v4(b.subspan(12));     // NAT64
  if (has_prefix(b, {0x20, 0x02})) return is_global_v4(b.subspan(2));                                       // 6to4
  if (has_prefix(b, {0x20, 0x01}) && b[2] < 2) return false;                         // 2001::/23: Teredo, ORCHID, ...
  if (has_prefix(b, {0x20, 0x01, 0x0d, 0xb8})) return false;                         // documentation
  if (has_prefix(b, {0x3f, 0xff}) && b[2] < 0x10) return false;                      // documentation
  return (b[0] & 0xe0) == 0x20;                                                      // 2000::/3: all that was given out
}

}  // namespace

std::string HttpUrl::authority() const {
  const std::string name = host.find(':') != host.npos ? fmt::format("[{}]", host) : host;
  return port == (tls ? 443 : 80) ? name : fmt::format("{}:{}", name, port);
}

HttpUrl parse_http_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) invalid("it is too long");
  for (const char c : text) {
    if (c <= ' ' || c > '~') invalid("expected printable ASCII without spaces");
    if (c == '\\') invalid("it has a backslash");
  }
  HttpUrl url;
  const std::string scheme = lower(text.substr(0, text.find(':')));
  if (scheme != "http" && scheme != "https") {
    throw Error(ErrorKind::kInvalidRequest, "url_scheme_not_allowed", "expected a URL with http:// or https://");
  }
  url.tls = scheme == "https";
  text.remove_prefix(scheme.size() + 1);
  if (!text.starts_with("//")) invalid("expected // behind the scheme");
  text.remove_prefix(2);
  const size_t end = text.find_first_of("/?#");
  parse_authority(text.substr(0, end), url);
  if (url.port == 0) url.port = url.tls ? 443 : 80;
  std::string_view rest = end == text.npos ? std::string_view() : text.substr(end);
  rest = rest.substr(0, rest.find('#'));
  if (!rest.starts_with('/')) url.target = '/';
  url.target += rest;
  return url;
}

HttpUrl resolve_redirect(const HttpUrl& base, std::string_view location) {
  const size_t first = location.find_first_of(":/?#");
  const bool absolute = first != location.npos && location[first] == ':';
  if (absolute) return parse_http_url(location);
  const std::string scheme = base.tls ? "https:" : "http:";
  if (location.starts_with("//")) return parse_http_url(scheme + std::string(location));
  std::string path = base.target.substr(0, base.target.find('?'));
  if (location.starts_with('/')) {
    path.clear();
  } else if (!location.starts_with('?') && !location.starts_with('#') && !location.empty()) {
    path.erase(path.rfind('/') + 1);
  }
  return parse_http_url(scheme + "//" + base.authority() + path + std::string(location));
}

bool is_global_address(const std::string& address) {
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, address.c_str(), bytes.data()) == 1) return is_global_v4(bytes);
  if (inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1) return is_global_v6(bytes);
  return false;
}

}  // namespace qvl
