#include "base/error.h"

#include "base/utf8.h"

namespace qvl {

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidRequest: return 400;
    case ErrorKind::kUnauthorized: return 401;
    case ErrorKind::kForbidden: return 403;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kMethodNotAllowed: return 405;
    case ErrorKind::kTimeout: return 408;
    case ErrorKind::kTooLarge: return 413;
    case ErrorKind::kUriTooLong: return 414;
    case ErrorKind::kUnsupportedMedia: return 415;
    case ErrorKind::kRange: return 416;
    case ErrorKind::kHeadersTooLarge: return 431;
    case ErrorKind::kNotImplemented: return 501;
    case ErrorKind::kBadGateway: return 502;
    case ErrorKind::kOverloaded: return 503;
    case ErrorKind::kGatewayTimeout: return 504;
    default: return 500;
  }
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kBadFlag: return 2;
    case ErrorKind::kModel: return 3;
    case ErrorKind::kListen: return 4;
    case ErrorKind::kMemory: return 5;
    case ErrorKind::kDataDir: return 6;
    case ErrorKind::kDownload: return 7;
    default: return 1;
  }
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = utf8_next(text, i);
    const bool control = step.code_point < 0x20 || step.code_point == 0x7f;
    const std::string_view piece = step.valid && !control ? text.substr(i, step.length) : std::string_view("?");
    if (out.size() + piece.size() > max_bytes) return out + "...";
    out += piece;
    i += step.length;
  }
  return out;
}

}  // namespace qvl
