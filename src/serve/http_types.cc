#include "serve/http_types.h"

#include <algorithm>
#include <cctype>

#include "base/json.h"

namespace qvl {
namespace {

bool equal_no_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

const char* error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUnauthorized:
      return "authentication_error";
    case ErrorKind::kForbidden:
      return "permission_error";
    case ErrorKind::kNotFound:
      return "not_found_error";
    case ErrorKind::kInternal:
    case ErrorKind::kOverloaded:
      return "server_error";
    default:
      return http_status(kind) < 500 ? "invalid_request_error" : "server_error";
  }
}

const char* anthropic_error_type(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kTooLarge:
      return "request_too_large";
    case ErrorKind::kTimeout:
      return "timeout_error";
    case ErrorKind::kOverloaded:
      return "overloaded_error";
    default:
      return http_status(kind) < 500 ? error_type(kind) : "api_error";
  }
}

}  // namespace

std::string_view find_header(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (equal_no_case(key, name)) return value;
  }
  return {};
}

std::string_view HttpRequest::header(std::string_view name) const { return find_header(headers, name); }

size_t HttpRequest::header_count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(headers.begin(), headers.end(),
                                           [&](const auto& field) { return equal_no_case(field.first, name); }));
}

std::string error_json(const Error& error, ErrorStyle style) {
  const bool anthropic = style == ErrorStyle::kAnthropic;
  Json object = {{"message", error.what()},
                 {"type", anthropic ? anthropic_error_type(error.kind) : error_type(error.kind)},
                 {"param", error.param.empty() ? Json() : Json(error.param)},
                 {"code", error.code.empty() ? Json() : Json(error.code)}};
  Json json = Json::object();
  if (anthropic) json["type"] = "error";
  json["error"] = std::move(object);
  return dump_json(json);
}

HttpResponse error_response(const Error& error, ErrorStyle style) {
  HttpResponse response;
  response.status = http_status(error.kind);
  response.body = error_json(error, style);
  if (error.kind == ErrorKind::kUnauthorized) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (error.kind == ErrorKind::kOverloaded) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.body = std::move(body);
  return response;
}

}  // namespace qvl
