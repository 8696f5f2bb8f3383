// What Gradio's clients ask: the list `data` of a call of "predict". Thread-safe.
#pragma once

#include "base/json.h"
#include "chat/chat_service.h"
#include "chat/served_model.h"
#include "serve/upload_store.h"

namespace qvl {

// {"data": [prompt, picture or null, "instruct" or "thinking" or null, temperature?, top_p?, max_tokens?], "fn_index":
// 0?} The picture is base64, a data URI, or FileData: {"path": of a file uploaded here} or {"url": data URI}. Other
// members (session_hash, event_data, trigger_id, ...) are Gradio's own business. Errors: fields.h, media_source.h.
ChatRequest read_predict(const Json& json, const ModelRegistry& models, UploadStore& uploads);

}  // namespace qvl
