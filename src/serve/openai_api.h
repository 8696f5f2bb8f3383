// OpenAI's interface: /v1/chat/completions and /v1/models. The handlers are thread-safe.
#pragma once

#include <string>
#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// models outlives the routes and may be filled after this call, but before the first request.
std::vector<Route> openai_routes(const ModelRegistry& models, const std::string& version);

}  // namespace qvl
