// What the server is and does, in llama-server's shapes: /props and /slots; and a reason where it does not:
// /v1/embeddings. The handlers are thread-safe.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// As openai_routes().
std::vector<Route> server_info_routes(const ModelRegistry& models, const std::string& version);
// A model's sampling where the request says nothing.
Json sampling_defaults_json(const SamplingDefaults& defaults);

}  // namespace qvl
