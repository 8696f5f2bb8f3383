// Paths to handlers. Immutable after building, so thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http_types.h"

namespace qvl {

class Router {
 public:
  explicit Router(std::vector<Route> routes);
  // HEAD finds GET's route. Errors: kNotFound "not_found", kMethodNotAllowed "method_not_allowed".
  const Route& find(const std::string& method, std::string_view path) const;
  // Of whatever is served at the path, by any method. Unknown paths look like paths that need the key, so that nobody
  // without it learns which exist.
  bool needs_key(std::string_view path) const;
  ErrorStyle error_style(std::string_view path) const;
  // For the Allow header: "GET, HEAD"; empty where the path is unknown.
  std::string allowed_methods(std::string_view path) const;

 private:
  std::vector<const Route*> at(std::string_view path) const;

  std::vector<Route> routes_;
  std::map<std::string, std::vector<const Route*>, std::less<>> exact_;
  std::vector<const Route*> prefixes_;
};

}  // namespace qvl
