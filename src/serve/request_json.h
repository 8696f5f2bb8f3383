// A request's body as JSON, with limits on what parsing it may cost.
#pragma once

#include <string_view>

#include "base/json.h"

namespace qvl {

// The body must be one JSON object. Errors (kInvalidRequest): "invalid_json", "too_deep", "too_many" (members of an
// object, values in all), "invalid_value" (a number outside of a double's range).
Json parse_request_json(std::string_view body);

}  // namespace qvl
