// OpenAI's newer interface, stateless: POST /v1/responses. The handler is thread-safe.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// models outlives the routes and may be filled after this call, but before the first request.
std::vector<Route> responses_routes(const ModelRegistry& models);

}  // namespace qvl
