// What a forwarded request may carry: only media that are in it. An engine behind this server fetches whatever URL it is
// given, from inside the owner's network.
#pragma once

#include <atomic>

#include "base/json.h"
#include "chat/media_source.h"

namespace qvl {

// Every picture of "messages" and "input" that is no data URI becomes one, through decode_media_source() and with what
// `access` allows; videos, sound and documents must be data URIs. True where something was changed. Errors
// (kInvalidRequest): those of decode_media_source() and encode_data_uri(), "url_scheme_not_allowed".
bool inline_media(Json& body, const MediaAccess* access, const std::atomic<bool>* abandoned);

}  // namespace qvl
