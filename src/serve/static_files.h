// The page: one route for each embedded file, "/" for index.html. Immutable, thread-safe.
#pragma once

#include <span>
#include <vector>

#include "serve/embedded_files.h"
#include "serve/http_types.h"

namespace qvl {

// Content types by name, an ETag each, single byte ranges, the security headers of a page. Without an index.html "/"
// says that the page was not built in. The files outlive the routes.
std::vector<Route> static_routes(std::span<const EmbeddedFile> files);

}  // namespace qvl
