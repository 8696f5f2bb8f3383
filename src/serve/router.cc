#include "serve/router.h"

#include <algorithm>

namespace qvl {

Router::Router(std::vector<Route> routes) : routes_(std::move(routes)) {
  for (const Route& route : routes_) {
    if (route.path.ends_with('*')) {
      prefixes_.push_back(&route);
    } else {
      exact_[route.path].push_back(&route);
    }
  }
}

std::vector<const Route*> Router::at(std::string_view path) const {
  if (const auto found = exact_.find(path); found != exact_.end()) return found->second;
  std::vector<const Route*> matches;
  for (const Route* route : prefixes_) {
    const std::string_view prefix = std::string_view(route->path).substr(0, route->path.size() - 1);
    if (path.size() > prefix.size() && path.starts_with(prefix)) matches.push_back(route);
  }
  return matches;
}

const Route& Router::find(const std::string& method, std::string_view path) const {
  const auto matches = at(path);
  if (matches.empty()) {
    throw Error(ErrorKind::kNotFound, "not_found", fmt::format("nothing is served at \"{}\"", printable(path)));
  }
  const std::string_view wanted = method == "HEAD" ? "GET" : std::string_view(method);
  for (const Route* route : matches) {
    if (route->method == wanted) return *route;
  }
  throw Error(ErrorKind::kMethodNotAllowed, "method_not_allowed",
              fmt::format("expected {}, found {}", allowed_methods(path), printable(method)));
}

bool Router::needs_key(std::string_view path) const {
  const auto matches = at(path);
  return matches.empty() || std::any_of(matches.begin(), matches.end(), [](const Route* route) { return !route->open; });
}

ErrorStyle Router::error_style(std::string_view path) const {
  const auto matches = at(path);
  return matches.empty() ? ErrorStyle::kOpenAi : matches.front()->errors;
}

std::string Router::allowed_methods(std::string_view path) const {
  std::string methods;
  for (const Route* route : at(path)) {
    methods += (methods.empty() ? "" : ", ") + (route->method == "GET" ? std::string("GET, HEAD") : route->method);
  }
  return methods;
}

}  // namespace qvl
