// What Gradio's clients read before they call: /config and /info of an app with the one function "predict".
#pragma once

#include <string>

#include "base/json.h"
#include "chat/served_model.h"

namespace qvl {

// root: the address under which the client sees this server, "http://host:port". app_id: of this process.
Json gradio_config(const std::string& root, const std::string& app_id, const ModelRegistry& models);
Json gradio_info(const ModelRegistry& models);

}  // namespace qvl
