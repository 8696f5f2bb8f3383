// Puts the engines behind this server among its routes: requests for models that are not its own are forwarded.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"
#include "serve/upstream_pool.h"

namespace qvl {

// Wraps the handlers of OpenAI's, Anthropic's and Gradio's routes, of /v1/models and of /health; adds those that only
// engines have. A model of `models` wins over an engine's of the same name; a request without a name takes the first model
// of its own, else the engines' first. models and pool outlive the routes; models may be filled later.
void add_upstreams(std::vector<Route>& routes, const ModelRegistry& models, UpstreamPool& pool);

}  // namespace qvl
