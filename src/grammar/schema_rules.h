// What JSON schema's keywords mean to each other, before any of them becomes a grammar: references, conjunction, which keywords there
// are. A schema is a Json: an object, true or false.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace qvl {

[[noreturn]] void invalid_schema(const std::string& path, const std::string& message);
[[noreturn]] void unsupported_schema(const std::string& path, const std::string& message);

// Refuses keywords that constrain and are not supported, keywords that nobody knows, and values of the wrong type.
void check_keywords(const Json& schema, const std::string& path);

// The schema with annotations and definitions removed and `const` as an `enum` of one.
Json essence(const Json& schema);

// What both schemas allow; neither has $ref or allOf. Errors: "unsupported_schema" where it cannot be said in one schema.
Json conjunction(const Json& a, const Json& b, const std::string& path);

// Of "null", "boolean", "integer", "number", "string", "array", "object": those that the schema's values are written as. Without
// `type`, the types that its keywords speak of; all where there are none.
std::set<std::string> written_types(const Json& schema);

bool has_type(const Json& value, const Json& schema);  // one of `type`, where the schema has it

// True only where no value that is written for `a` is valid for `b`.
bool surely_disjoint(const Json& a, const Json& b);

}  // namespace qvl
