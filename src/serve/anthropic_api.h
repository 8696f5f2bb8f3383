// Anthropic's interface: /v1/messages and /v1/messages/count_tokens. The handlers are thread-safe.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// models outlives the routes and may be filled after this call, but before the first request. The header
// anthropic-version may have any value: the routes answer as version 2023-06-01 does.
std::vector<Route> anthropic_routes(const ModelRegistry& models);

}  // namespace qvl
