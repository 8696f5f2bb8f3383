// The one exception type for everything a file, a flag or a client can get wrong. Thread-safe; no state.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace qvl {

// What went wrong, as far as the caller's reaction depends on it. http_status() and exit_code() map each kind.
enum class ErrorKind {
  kInvalidRequest,      // 400
  kUnauthorized,        // 401
  kForbidden,           // 403
  kNotFound,            // 404
  kMethodNotAllowed,    // 405
  kTimeout,             // 408
  kTooLarge,            // 413
  kUriTooLong,          // 414
  kUnsupportedMedia,    // 415
  kRange,               // 416
  kHeadersTooLarge,     // 431
  kInternal,            // 500
  kNotImplemented,      // 501
  kBadGateway,          // 502: another server that this one asks
  kOverloaded,          // 503
  kGatewayTimeout,      // 504
  kBadFlag,             // exit 2
  kModel,               // exit 3: model files
  kListen,              // exit 4: port, descriptors
  kMemory,              // exit 5
  kDataDir,             // exit 6
  kDownload,            // exit 7
};

class Error : public std::runtime_error {
 public:
  // code: a stable word for programs, e.g. "image_decode_failed". message: one line that names what was expected and
  // what was found. param: the request's field, or empty.
  Error(ErrorKind error_kind, std::string error_code, const std::string& message, std::string error_param = "")
      : std::runtime_error(message), kind(error_kind), code(std::move(error_code)), param(std::move(error_param)) {}

  ErrorKind kind;
  std::string code;
  std::string param;
};

int http_status(ErrorKind kind);  // 400..504; kinds of the command line give 500
int exit_code(ErrorKind kind);    // 2..7; kinds of a request give 1

// throw_error(kind, code, "expected {} found {}", a, b)
template <typename... Args>
[[noreturn]] void throw_error(ErrorKind kind, std::string code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, std::move(code), fmt::format(format, std::forward<Args>(args)...));
}

// For text that came from outside and goes into a message: at most max_bytes, control characters and invalid UTF-8 replaced.
std::string printable(std::string_view text, size_t max_bytes = 100);

}  // namespace qvl
