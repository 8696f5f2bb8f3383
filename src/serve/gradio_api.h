// The synchronous interface of Gradio 3: POST /api/predict. The handlers are thread-safe.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// {"data": [prompt, picture or null, "instruct" or "thinking", temperature?, top_p?, max_tokens?]} ->
// {"data": [answer without its reasoning], "is_generating": false, "duration": s, "average_duration": s}.
// The picture is base64, a data URI or FileData {"url": data URI}. models outlives the routes.
std::vector<Route> gradio_routes(const ModelRegistry& models);

}  // namespace qvl
