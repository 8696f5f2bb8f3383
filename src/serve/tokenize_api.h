// What a prompt becomes, without an answer: /tokenize and /detokenize in the shapes of vLLM and llama-server,
// /apply-template, and the counting of a chat's tokens. No picture is decoded. The handlers are thread-safe.
#pragma once

#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// As openai_routes().
std::vector<Route> tokenize_routes(const ModelRegistry& models);

}  // namespace qvl
