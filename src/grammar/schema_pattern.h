// A JSON schema's `pattern` and `format` -> what may stand between a JSON string's quotes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "grammar/json_text.h"

namespace qvl {

// Regular expressions without what looks around or back: literals, ., classes, \d \w \s and their opposites, groups, alternatives,
// * + ? {m} {m,} {m,n}, greedy or lazy; ^ and $ at the ends. Without them, the text may stand anywhere, as in ECMAScript.
// Errors (kInvalidRequest, with `path`): "invalid_schema" for what is no regular expression or too large, "unsupported_schema" for the rest.
GrammarExpr pattern_in_json(std::string_view pattern, const JsonText& json, const std::string& path);

// The pattern of a format: date, time, date-time, uuid, email, ipv4, hostname, uri. What is written is always of the format, though
// not all of the format can be written. nullopt: not one of these.
std::optional<std::string_view> pattern_of_format(std::string_view format);

}  // namespace qvl
