// OpenAI's text completions: /v1/completions, without a chat template. The handler is thread-safe.
#pragma once

#include <string>
#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// As openai_routes().
std::vector<Route> completion_routes(const ModelRegistry& models, const std::string& version);

}  // namespace qvl
