// Who may talk to the server: Host (DNS rebinding), Origin (other pages in the same browser), API key. Immutable,
// thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "serve/http_types.h"

namespace qvl {

// "[::1]:80" -> "::1" and 80; nullopt where host or port are malformed. No port gives 0.
struct HostPort {
  std::string host;  // lower case, without brackets
  int port = 0;
};
std::optional<HostPort> parse_host(std::string_view text);

class AccessPolicy {
 public:
  // allowed_hosts: further names that clients may use; "*" allows all. No key: no authentication.
  AccessPolicy(std::vector<std::string> allowed_hosts, const std::optional<std::string>& api_key);

  // own_address: the address of this connection's server side; trusted as a Host when it is not a loopback address.
  // Errors: kInvalidRequest "bad_request", kForbidden "host_not_allowed".
  void check_host(const HttpRequest& request, std::string_view own_address) const;
  // For everything but GET and HEAD. Errors: kForbidden "origin_not_allowed".
  void check_origin(const HttpRequest& request) const;
  // As "Authorization: Bearer KEY" or, as Anthropic's clients send it, "x-api-key: KEY". Errors: kUnauthorized
  // "invalid_api_key".
  void check_key(const HttpRequest& request) const;

 private:
  std::vector<std::string> allowed_hosts_;
  std::optional<Sha256> key_digest_;
};

}  // namespace qvl
