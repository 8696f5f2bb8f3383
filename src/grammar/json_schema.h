// JSON schemas -> grammars of the JSON texts that are valid under them. What is written is always valid; not all that is valid can be
// written: properties stand in the schema's order, additional ones only where additionalProperties asks for them, numbers have as many
// digits as a double tells apart, white space is at most one space or line break between tokens.
//
// Supported: type, properties, required, additionalProperties, minProperties and maxProperties (of maps), enum, const, nullable, anyOf,
// oneOf (where no value can fit two of them), allOf, $ref into the schema, items, prefixItems, minItems, maxItems, minLength, maxLength,
// pattern and format (schema_pattern.h), minimum, maximum and their exclusive forms. Annotations are ignored.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace qvl {

inline constexpr size_t kMaxSchemaBytes = 64 * 1024, kMaxSchemaDepth = 32;

// path: how messages name the schema. Errors (kInvalidRequest, param: the keyword's path): "unsupported_schema" for a keyword that cannot be
// enforced, "invalid_schema" for what is no schema, too large, or allows no value at all.
Grammar schema_grammar(const Json& schema, const std::string& path);

Grammar json_object_grammar();

struct ToolSchema {
  std::string name;
  Json parameters;   // null: no arguments
  std::string path;
  bool free = false; // any object for arguments
};
enum class ToolCalls { kOne, kSome, kAmongText };
// Calls as the models write them: <tool_call>\n{"name": ..., "arguments": ...}\n</tool_call>, where the tags are marker tokens
// (token_trie.h). kOne: exactly one; kSome: one or more; kAmongText: any text, and calls in it.
Grammar tool_call_grammar(const std::vector<ToolSchema>& tools, ToolCalls calls);

}  // namespace qvl
