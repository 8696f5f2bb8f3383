// JSON with the limits that input from outside needs. Json keeps the order of keys, which is part of some prompts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace qvl {

using Json = nlohmann::ordered_json;

struct JsonLimits {
  size_t max_depth = 64;
  bool reject_duplicate_keys = false;
};

// Parses one document of valid UTF-8. Errors: `kind` with code `code` for bad text, and "too_deep" for requests (`code`
// otherwise) past max_depth. `what` names the document in messages ("request body", a file's path).
Json parse_json(std::string_view text, std::string_view what, ErrorKind kind, const std::string& code,
                const JsonLimits& limits = {});

// One line; invalid UTF-8 is replaced, never thrown on.
std::string dump_json(const Json& json);
// As Python's json.dumps(ensure_ascii=False) prints it: ", " and ": " between items, numbers in Python's form (400.0
// stays 400.0). The chat templates' tojson.
std::string dump_json_python(const Json& json);

}  // namespace qvl
