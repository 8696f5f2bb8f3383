// Gradio's synchronous /api/predict, answered by an engine behind this server.
#pragma once

#include <memory>

#include "base/json.h"
#include "serve/http_types.h"
#include "serve/upstream_pool.h"

namespace qvl {

// {"data": [prompt, picture or null, "instruct" or "thinking", temperature?, top_p?, max_tokens?]} -> a body for
// /v1/chat/completions. The model is the first whose name says the mode. Errors: fields.h, "model_not_found".
Json read_upstream_predict(const Json& json, const UpstreamPool& pool);

// `answer`, which gives a chat completion, as Gradio's {"data": [text], "is_generating": false, "duration", ...}.
std::unique_ptr<Exchange> make_predict_answer(std::unique_ptr<Exchange> answer);

}  // namespace qvl
