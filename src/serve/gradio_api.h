// The interfaces of Gradio for an app with one function, "predict": the synchronous one of Gradio 3, and the calls,
// event streams and uploads that the clients of Gradio 4 to 6 use. The handlers are thread-safe.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// Synchronous: POST /api/predict, {"data": [...]} (gradio_request.h) ->
// {"data": [answer without its reasoning], "is_generating": false, "duration": s, "average_duration": s}.
// models outlives the routes and may be filled after this call, but before the first request.
std::vector<Route> gradio_routes(const ModelRegistry& models);

}  // namespace qvl
