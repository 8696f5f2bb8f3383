// Checks of a request's head that a general HTTP parser does not make. Pure functions on bytes from the network.
#pragma once

#include <string>
#include <string_view>

#include "serve/http_types.h"

namespace qvl {

struct HeadLimits {
  size_t max_bytes = 16 * 1024;
  size_t max_fields = 100;
  size_t max_target_bytes = 8 * 1024;
};

// head: everything up to and with the empty line. Refuses what parsers read in different ways: folded lines, bare line
// feeds, NUL, names with spaces. Errors: kInvalidRequest "bad_request", "uri_too_long", "headers_too_large".
void check_raw_head(std::string_view head, const HeadLimits& limits);
// For a head that is not complete yet but already too long: which of the two limits it broke.
[[noreturn]] void throw_head_too_long(std::string_view head);

// Splits and decodes an origin-form target. Errors: kInvalidRequest "bad_request".
void parse_target(std::string_view target, std::string& path, std::string& query);

// Checks that need the fields alone: Host, Content-Length with Transfer-Encoding, Upgrade.
// Errors: "missing_host", "bad_request", kNotImplemented "not_implemented".
void check_fields(const HttpRequest& request);

// The media type and coding of a body. Errors: kUnsupportedMedia "unsupported_encoding", "unsupported_media_type".
void check_body_fields(const HttpRequest& request, BodyType expected);

}  // namespace qvl
