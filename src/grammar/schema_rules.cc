#include "grammar/schema_rules.h"

#include <algorithm>
#include <cmath>

namespace qvl {
namespace {

enum class Shape { kAnything, kSchema, kSchemas, kSchemaMap, kNumber, kCount, kString, kBool, kArray, kStrings, kType };

struct Keyword {
  const char* name;
  Shape shape;
  const char* type;  // whose values it speaks of; "": any
};

constexpr Keyword kKeywords[] = {
    {"$ref", Shape::kString, ""}, {"allOf", Shape::kSchemas, ""}, {"anyOf", Shape::kSchemas, ""}, {"oneOf", Shape::kSchemas, ""},
    {"type", Shape::kType, ""}, {"enum", Shape::kArray, ""}, {"const", Shape::kAnything, ""}, {"nullable", Shape::kBool, ""},
    {"properties", Shape::kSchemaMap, "object"}, {"required", Shape::kStrings, "object"},
    {"additionalProperties", Shape::kSchema, "object"}, {"minProperties", Shape::kCount, "object"},
    {"maxProperties", Shape::kCount, "object"},
    {"items", Shape::kSchema, "array"}, {"prefixItems", Shape::kSchemas, "array"}, {"minItems", Shape::kCount, "array"},
    {"maxItems", Shape::kCount, "array"}, {"uniqueItems", Shape::kBool, "array"},
    {"minLength", Shape::kCount, "string"}, {"maxLength", Shape::kCount, "string"}, {"pattern", Shape::kString, "string"},
    {"format", Shape::kString, "string"},
    {"minimum", Shape::kNumber, "number"}, {"maximum", Shape::kNumber, "number"}, {"exclusiveMinimum", Shape::kNumber, "number"},
    {"exclusiveMaximum", Shape::kNumber, "number"}, {"multipleOf", Shape::kNumber, "number"},
};

// They say nothing about which values are valid.
constexpr const char* kAnnotations[] = {"title", "description", "default", "examples", "example", "$schema", "$id", "$comment", "deprecated",
                                        "readOnly", "writeOnly", "discriminator", "contentMediaType", "contentEncoding", "$defs",
                                        "definitions", "xml", "externalDocs", "enumNames", "markdownDescription", "strict"};

const Keyword* find_keyword(const std::string& name) {
  for (const auto& k : kKeywords) {
    if (name == k.name) return &k;
  }
  return nullptr;
}

bool is_annotation(const std::string& name) {
  return name.rfind("x-", 0) == 0 || std::any_of(std::begin(kAnnotations), std::end(kAnnotations), [&](const char* a) { return name == a; });
}

bool is_schema(const Json& json) { return json.is_object() || json.is_boolean(); }

bool is_type(const Json& json) {
  constexpr const char* kTypes[] = {"null", "boolean", "integer", "number", "string", "array", "object"};
  return json.is_string() && std::any_of(std::begin(kTypes), std::end(kTypes), [&](const char* t) { return json == t; });
}

void check_shape(const Keyword& keyword, const Json& value, const std::string& path) {
  const auto need = [&](bool ok, const char* expected) {
    if (!ok) invalid_schema(path, fmt::format("expected {}, found {}", expected, printable(dump_json(value), 40)));
  };
  const auto all = [&](auto is) { return std::all_of(value.begin(), value.end(), is); };
  switch (keyword.shape) {
    case Shape::kAnything: break;
    case Shape::kSchema: need(is_schema(value), "a schema"); break;
    case Shape::kSchemas: need(value.is_array() && !value.empty() && all(is_schema), "an array of schemas"); break;
    case Shape::kSchemaMap: need(value.is_object() && all(is_schema), "an object of schemas"); break;
    case Shape::kNumber: need(value.is_number(), "a number"); break;
    case Shape::kCount:
      need(value.is_number() && value >= 0 && value <= 1e15 && std::floor(value.get<double>()) == value.get<double>(), "a count");
      break;
    case Shape::kString: need(value.is_string(), "a string"); break;
    case Shape::kBool: need(value.is_boolean(), "true or false"); break;
    case Shape::kArray: need(value.is_array() && !value.empty(), "an array that is not empty"); break;
    case Shape::kStrings: need(value.is_array() && all([](const Json& v) { return v.is_string(); }), "an array of strings"); break;
    case Shape::kType: need(is_type(value) || (value.is_array() && !value.empty() && all(is_type)), "a JSON type or an array of them"); break;
  }
}

std::string type_of(const Json& value) {
  if (value.is_number_integer() || value.is_number_unsigned()) return "integer";
  if (value.is_number()) return "number";
  return value.type_name();
}

std::set<std::string> listed_types(const Json& schema) {
  const Json& type = schema.at("type");
  if (type.is_string()) return {type.get<std::string>()};
  return type.get<std::set<std::string>>();
}

// What both lists have, with an integer as a number.
std::set<std::string> common_types(const std::set<std::string>& a, const std::set<std::string>& b) {
  std::set<std::string> out;
  for (const auto& type : a) {
    if (b.count(type) > 0 || (type == "integer" && b.count("number") > 0)) out.insert(type);
  }
  if (a.count("number") > 0 && b.count("integer") > 0) out.insert("integer");
  return out;
}

Json all_of(const Json& a, const Json& b) { return a == b ? a : Json{{"allOf", Json::array({a, b})}}; }

// additionalProperties of a schema as it applies to a property that it does not name.
Json for_unnamed(const Json& schema) { return schema.contains("additionalProperties") ? schema["additionalProperties"] : Json(true); }

Json both_properties(const Json& a, const Json& b) {
  const Json none = Json::object();
  const Json &pa = a.contains("properties") ? a["properties"] : none, &pb = b.contains("properties") ? b["properties"] : none;
  const auto both = [](const Json& x, const Json& y) { return x == true ? y : y == true ? x : all_of(x, y); };
  Json out = Json::object();
  for (const auto& [name, schema] : pa.items()) out[name] = both(schema, pb.contains(name) ? pb[name] : for_unnamed(b));
  for (const auto& [name, schema] : pb.items()) {
    if (!pa.contains(name)) out[name] = both(for_unnamed(a), schema);
  }
  return out;
}

Json both_values(const std::string& key, const Json& a, const Json& b, const std::string& path) {
  if (a == b) return a;
  const auto is = [&](std::initializer_list<const char*> names) { return std::any_of(names.begin(), names.end(), [&](const char* n) { return key == n; }); };
  if (is({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})) return std::max(a, b);
  if (is({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})) return std::min(a, b);
  if (is({"items", "additionalProperties"})) return a == true ? b : b == true ? a : all_of(a, b);
  if (is({"uniqueItems"})) return true;
  if (is({"nullable"})) return false;
  if (is({"required"})) {
    Json out = a;
    for (const auto& name : b) {
      if (std::find(a.begin(), a.end(), name) == a.end()) out.push_back(name);
    }
    return out;
  }
  if (is({"enum"})) {
    Json out = Json::array();
    for (const auto& value : a) {
      if (std::find(b.begin(), b.end(), value) != b.end()) out.push_back(value);
    }
    return out;
  }
  unsupported_schema(path, fmt::format("two different values of \"{}\" cannot be combined", printable(key)));
}

bool requires_property(const Json& schema, const std::string& name) {
  return schema.contains("required") && std::find(schema["required"].begin(), schema["required"].end(), name) != schema["required"].end();
}

bool writes_only_named(const Json& schema) {
  if (schema.contains("additionalProperties")) return schema["additionalProperties"] == false;
  return schema.contains("properties");
}

bool disjoint_objects(const Json& a, const Json& b) {
  const Json none = Json::object();
  const Json &pa = a.contains("properties") ? a["properties"] : none, &pb = b.contains("properties") ? b["properties"] : none;
  if (b.contains("required")) {
    for (const auto& name : b["required"]) {
      const auto key = name.get<std::string>();
      if (!pa.contains(key) && !requires_property(a, key) && writes_only_named(a)) return true;
      if (pa.contains(key) && pb.contains(key) && surely_disjoint(pa[key], pb[key])) return true;
    }
  }
  for (const auto& [name, schema] : pa.items()) {
    if (!requires_property(a, name)) continue;
    if (pb.contains(name) ? surely_disjoint(schema, pb[name]) : b.contains("additionalProperties") && b["additionalProperties"] == false) return true;
  }
  return false;
}

}  // namespace

void invalid_schema(const std::string& path, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_schema", fmt::format("{}: {}", path, message), path);
}

void unsupported_schema(const std::string& path, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "unsupported_schema", fmt::format("{}: {}", path, message), path);
}

void check_keywords(const Json& schema, const std::string& path) {
  if (schema.is_boolean()) return;
  if (!schema.is_object()) invalid_schema(path, fmt::format("expected a schema, found {}", schema.type_name()));
  for (const auto& [name, value] : schema.items()) {
    const std::string here = fmt::format("{}.{}", path, printable(name));
    if (is_annotation(name)) continue;
    const Keyword* keyword = find_keyword(name);
    if (keyword == nullptr) unsupported_schema(here, "this keyword is not supported");
    if (name == "items" && value.is_array()) unsupported_schema(here, "expected one schema; a schema for each place is prefixItems");
    if ((name == "exclusiveMinimum" || name == "exclusiveMaximum") && value.is_boolean()) unsupported_schema(here, "expected a number");
    check_shape(*keyword, value, here);
    if (name == "uniqueItems" && value == true) unsupported_schema(here, "items that differ from each other cannot be enforced");
    if (name == "multipleOf" && value != 1) unsupported_schema(here, "only 1 is supported");
  }
}

Json essence(const Json& schema) {
  if (!schema.is_object()) return schema;
  Json out = Json::object();
  for (const auto& [name, value] : schema.items()) {
    if (!is_annotation(name) && name != "const") out[name] = value;
  }
  if (schema.contains("const")) {
    const Json one = Json::array({schema["const"]});
    out["enum"] = out.contains("enum") ? both_values("enum", out["enum"], one, "") : one;
  }
  if (out.contains("uniqueItems")) out.erase("uniqueItems");
  if (const auto nullable = out.find("nullable"); nullable != out.end()) {
    if (*nullable == true && out.contains("type")) {
      auto types = listed_types(out);
      types.insert("null");
      out["type"] = types;
    }
    out.erase("nullable");
  }
  return out;
}

Json conjunction(const Json& a, const Json& b, const std::string& path) {
  if (a == false || b == false) return false;
  if (a == true || a == b) return b;
  if (b == true) return a;
  Json out = a;
  for (const auto& [name, value] : b.items()) {
    if (!a.contains(name)) {
      out[name] = value;
    } else if (name != "properties" && name != "type") {
      out[name] = both_values(name, a[name], value, path);
    }
  }
  if (a.contains("type") && b.contains("type")) {
    const auto types = common_types(listed_types(a), listed_types(b));
    if (types.empty()) return false;
    out["type"] = types;
  }
  if (out.contains("properties")) out["properties"] = both_properties(a, b);
  if (out.contains("prefixItems") && out.contains("items") && (a.contains("prefixItems") != a.contains("items") || b.contains("prefixItems") != b.contains("items"))) {
    unsupported_schema(path, "prefixItems and items from different schemas cannot be combined");
  }
  return out;
}

std::set<std::string> written_types(const Json& schema) {
  const std::set<std::string> all{"null", "boolean", "number", "string", "array", "object"};
  if (!schema.is_object()) return schema == false ? std::set<std::string>() : all;
  if (schema.contains("type")) return listed_types(schema);
  std::set<std::string> out;
  for (const auto& [name, value] : schema.items()) {
    const Keyword* keyword = find_keyword(name);
    if (keyword != nullptr && keyword->type[0] != '\0') out.insert(keyword->type);
  }
  return out.empty() ? all : out;
}

bool has_type(const Json& value, const Json& schema) {
  if (!schema.contains("type")) return true;
  const bool whole = value.is_number() && std::floor(value.get<double>()) == value.get<double>();
  const auto types = listed_types(schema);
  return whole ? !common_types({"integer"}, types).empty() : types.count(type_of(value)) > 0;
}

bool surely_disjoint(const Json& a, const Json& b) {
  if (a == false || b == false) return true;
  if (!a.is_object() || !b.is_object()) return false;
  for (const char* key : {"$ref", "allOf", "anyOf", "oneOf"}) {
    if (a.contains(key) || b.contains(key)) return false;
  }
  const Json ea = essence(a), eb = essence(b);
  if (ea.contains("enum")) {
    const std::set<std::string> types = eb.contains("type") ? listed_types(eb) : std::set<std::string>();
    return std::all_of(ea["enum"].begin(), ea["enum"].end(), [&](const Json& value) {
      if (eb.contains("enum") && std::find(eb["enum"].begin(), eb["enum"].end(), value) == eb["enum"].end()) return true;
      // 1.0 is an integer.
      return !types.empty() && common_types({value.is_number() ? "integer" : type_of(value)}, types).empty();
    });
  }
  // b's keywords speak of their own types only: without `type` it allows all others.
  const std::set<std::string> wa = written_types(ea);
  std::set<std::string> tb;
  if (eb.contains("enum")) {
    for (const Json& value : eb["enum"]) tb.insert(value.is_number() ? "number" : type_of(value));
  } else if (eb.contains("type")) {
    tb = listed_types(eb);
  } else {
    tb = written_types(true);
  }
  const auto both = common_types(wa, tb);
  if (both.empty()) return true;
  if (both != std::set<std::string>{"object"}) return false;
  return disjoint_objects(ea, eb);
}

}  // namespace qvl
