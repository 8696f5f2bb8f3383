// The one parser of http and https URLs: what it refuses nobody else gets to read in another way. Pure functions.
#pragma once

#include <string>
#include <string_view>

namespace qvl {

struct HttpUrl {
  bool tls = false;
  std::string host;      // lower case; addresses in their canonical form, IPv6 without brackets
  bool address = false;  // host is an IP address, not a name
  int port = 0;          // the scheme's where the URL names none
  std::string target;    // path and query as sent, at least "/"; the fragment is dropped

  std::string authority() const;  // for the Host header: the port where it is not the scheme's
};

// Takes "http://host[:port][/path][?query][#fragment]" of at most 2048 printable ASCII characters. Errors
// (kInvalidRequest): "url_scheme_not_allowed"; "invalid_url" for backslashes, user names, escapes or characters in the
// host that no host name has, empty labels, bad ports; "url_host_not_allowed" for addresses in other spellings than the
// canonical one (2130706433, 0x7f.1, 0177.0.0.1, 127.1).
HttpUrl parse_http_url(std::string_view text);

// `location` of a redirect from `base`: absolute, "//host/path", "/path" or a relative path. Errors: as above.
HttpUrl resolve_redirect(const HttpUrl& base, std::string_view location);

// True for an address that anybody on the internet may have: not private, loopback, link-local, multicast, reserved or
// for documentation. IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as what it stands for. False for other texts.
bool is_global_address(const std::string& address);

}  // namespace qvl
