#include "serve/access.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

namespace qvl {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
  return host == "localhost" || host == "localhost.";
}

std::string machine_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? lower(name.data()) : std::string();
}

Sha256 digest(std::string_view text) { return sha256(std::as_bytes(std::span(text.data(), text.size()))); }

// Takes the same time wherever the digests differ.
bool same_digest(const Sha256& a, const Sha256& b) {
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

// "http://host:port" -> host and port with the scheme's default filled in.
std::optional<HostPort> parse_origin(const std::string& origin) {
  const bool tls = origin.rfind("https://", 0) == 0;
  if (!tls && origin.rfind("http://", 0) != 0) return std::nullopt;
  auto parsed = parse_host(std::string_view(origin).substr(tls ? 8 : 7));
  if (parsed && parsed->port == 0) parsed->port = tls ? 443 : 80;
  return parsed;
}

}  // namespace

std::optional<HostPort> parse_host(std::string_view text) {
  HostPort out;
  std::string_view host, port;
  bool has_port = false;
  if (!text.empty() && text[0] == '[') {
    const size_t close = text.find(']');
    if (close == text.npos) return std::nullopt;
    host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return std::nullopt;
      has_port = true;
      port = text.substr(close + 2);
    }
  } else {
    const size_t colon = text.find(':');
    host = text.substr(0, colon);
    if (colon != text.npos) {
      has_port = true;
      port = text.substr(colon + 1);
    }
  }
  const bool valid = std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  });
  if (host.empty() || !valid) return std::nullopt;
  if (has_port) {
    if (port.empty() || port.size() > 5) return std::nullopt;
    for (const char c : port) {
      if (c < '0' || c > '9') return std::nullopt;
      out.port = out.port * 10 + (c - '0');
    }
    if (out.port > 65535) return std::nullopt;
  }
  out.host = lower(host);
  return out;
}

AccessPolicy::AccessPolicy(std::vector<std::string> allowed_hosts, const std::optional<std::string>& api_key)
    : allowed_hosts_(std::move(allowed_hosts)) {
  for (std::string& host : allowed_hosts_) host = lower(host);
  if (api_key) key_digest_ = digest(*api_key);
}

void AccessPolicy::check_host(const HttpRequest& request, std::string_view own_address) const {
  const auto host = parse_host(request.header("Host"));
  if (!host) throw Error(ErrorKind::kInvalidRequest, "bad_request", "expected a Host header of the form name:port");
  if (is_loopback(host->host)) return;
  const auto allowed = [&](const std::string& name) { return name == "*" || name == host->host; };
  if (std::any_of(allowed_hosts_.begin(), allowed_hosts_.end(), allowed)) return;
  if (!is_loopback(std::string(own_address)) && (host->host == own_address || host->host == machine_name())) return;
  throw Error(
      ErrorKind::kForbidden, "host_not_allowed",
      fmt::format("this server does not answer to the name \"{}\"; --allow-host adds a name", printable(host->host)));
}

void AccessPolicy::check_origin(const HttpRequest& request) const {
  if (request.method == "GET" || request.method == "HEAD") return;
  const auto refuse = [] {
    throw Error(ErrorKind::kForbidden, "origin_not_allowed", "pages of other sites may not use this server");
  };
  const std::string site = lower(request.header("Sec-Fetch-Site"));
  if (!site.empty() && site != "same-origin" && site != "none") refuse();
  if (request.header_count("Origin") == 0) return;
  if (request.header_count("Origin") > 1) refuse();
  const std::string origin = lower(request.header("Origin"));
  const auto from = parse_origin(origin);
  auto host = parse_host(request.header("Host"));
  if (!from || !host) refuse();
  if (host->port == 0) host->port = origin.rfind("https://", 0) == 0 ? 443 : 80;
  if (from->host != host->host || from->port != host->port) refuse();
}

void AccessPolicy::check_key(const HttpRequest& request) const {
  if (!key_digest_) return;
  const size_t bearers = request.header_count("Authorization"), plain = request.header_count("x-api-key");
  std::string_view key = request.header("x-api-key");
  bool present = bearers == 0 && plain == 1;
  if (bearers == 1 && plain <= 1) {  // a client that sends both: the standard one counts
    const std::string_view value = request.header("Authorization");
    constexpr std::string_view kScheme = "bearer ";
    present = value.size() > kScheme.size() && lower(value.substr(0, kScheme.size())) == kScheme;
    key = present ? value.substr(kScheme.size()) : std::string_view();
  }
  const bool matches = same_digest(digest(key), *key_digest_);
  if (!present || !matches) {
    throw Error(ErrorKind::kUnauthorized, "invalid_api_key",
                "expected \"Authorization: Bearer KEY\" or \"x-api-key: KEY\" with this server's key");
  }
}

}  // namespace qvl
