#include "grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include "grammar/json_text.h"
#include "grammar/number_range.h"
#include "grammar/schema_pattern.h"
#include "grammar/schema_rules.h"
#include "grammar/token_trie.h"

namespace qvl {
namespace {

const std::string kCode = "invalid_schema";
constexpr int kMaxSteps = 20'000;  // schemas looked at, copies through allOf and $ref included
constexpr int kMaxNesting = 100;   // of them in each other

GrammarExpr nothing() { return expr_choice({}); }
bool is_nothing(const GrammarExpr& e) {
  return (e.kind == GrammarExpr::Kind::kChoice && e.parts.empty()) || (e.kind == GrammarExpr::Kind::kClass && e.ranges.empty());
}

size_t depth_of(const Json& json) {
  size_t deepest = 0;
  if (json.is_structured()) {
    for (const auto& member : json) deepest = std::max(deepest, depth_of(member));
    return deepest + 1;
  }
  return 0;
}

// One document's schemas; several may share a builder.
class SchemaCompiler {
 public:
  SchemaCompiler(GrammarBuilder& builder, const JsonText& json, const Json& root, std::string path)
      : builder_(builder), json_(json), root_(root), path_(std::move(path)) {}

  GrammarExpr compile() {
    if (dump_json(root_).size() > kMaxSchemaBytes) invalid_schema(path_, fmt::format("expected at most {} bytes", kMaxSchemaBytes));
    // Each level of a schema is up to two of JSON's: {"properties": {"a": ...}}.
    if (depth_of(root_) > 2 * kMaxSchemaDepth) invalid_schema(path_, fmt::format("expected schemas at most {} deep", kMaxSchemaDepth));
    GrammarExpr out = value(root_, path_);
    while (!refs_todo_.empty()) {
      const auto [target, rule] = refs_todo_.front();
      refs_todo_.pop_front();
      GrammarExpr body = value(*target, refs_.at(target).path);
      if (is_nothing(body)) invalid_schema(refs_.at(target).path, "no value is valid here");
      builder_.define(rule, std::move(body));
    }
    if (is_nothing(out)) invalid_schema(path_, "no value is valid");
    return out;
  }

 private:
  struct Ref {
    int rule;
    std::string path;
  };

  // Counts one more step and one more level; the level ends with it.
  class Level {
   public:
    Level(SchemaCompiler& owner, const std::string& path) : owner_(owner) {
      if (++owner.steps_ > kMaxSteps) invalid_schema(path, "too complex: its combinations are too many");
      if (++owner.level_ > kMaxNesting) invalid_schema(path, "nested too deep, or it refers to itself without an end");
    }
    ~Level() { --owner_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    SchemaCompiler& owner_;
  };

  const Json& find(const std::string& ref, const std::string& path) const {
    if (ref.empty() || ref[0] != '#') invalid_schema(path, fmt::format("expected a reference into this schema (#/...), found \"{}\"", printable(ref)));
    const Json* here = &root_;
    if (ref.size() > 1 && ref[1] != '/') unsupported_schema(path, "references by name are not supported");
    try {
      here = &root_.at(Json::json_pointer(ref.substr(1)));
    } catch (const Json::exception&) {
      invalid_schema(path, fmt::format("\"{}\" names nothing in this schema", printable(ref)));
    }
    return *here;
  }

  // Without $ref and allOf: what they bring is in it.
  Json resolved(const Json& schema, const std::string& path) {
    const Level level(*this, path);
    check_keywords(schema, path);
    Json out = essence(schema);
    if (!out.is_object()) return out;
    if (out.contains("$ref")) {
      const auto ref = out["$ref"].get<std::string>();
      out.erase("$ref");
      out = conjunction(resolved(find(ref, path + ".$ref"), path), drop_all_of(out), path);
    } else {
      out = drop_all_of(out);
    }
    if (const auto parts = schema.find("allOf"); parts != schema.end()) {
      for (size_t i = 0; i < parts->size(); ++i) {
        const std::string here = fmt::format("{}.allOf[{}]", path, i);
        out = conjunction(out, resolved((*parts)[i], here), here);
      }
    }
    return out;
  }

  static Json drop_all_of(Json schema) {
    schema.erase("allOf");
    return schema;
  }

  // A reference alone is a rule of its own, so that schemas may contain themselves.
  GrammarExpr reference(const Json& target, const std::string& ref) {
    const auto [entry, is_new] = refs_.try_emplace(&target, Ref{0, fmt::format("{}{}", path_, printable(ref))});
    if (is_new) {
      entry->second.rule = builder_.add_rule(fmt::format("{}{}", path_, printable(ref)));
      refs_todo_.emplace_back(&target, entry->second.rule);
    }
    return expr_rule(entry->second.rule);
  }

  GrammarExpr value(const Json& schema, const std::string& path) {
    const Level level(*this, path);
    check_keywords(schema, path);
    if (schema.is_object()) {
      const Json plain = essence(schema);
      if (plain.size() == 1 && plain.contains("$ref")) {
        const auto ref = plain["$ref"].get<std::string>();
        return reference(follow(find(ref, path + ".$ref"), path), ref);
      }
    }
    return of_resolved(resolved(schema, path), path);
  }

  // Past schemas that are nothing but a reference.
  const Json& follow(const Json& first, const std::string& path) const {
    const Json* here = &first;
    for (int steps = 0; here->is_object() && here->contains("$ref") && essence(*here).size() == 1; ++steps) {
      if (steps > kMaxNesting || !(*here)["$ref"].is_string()) invalid_schema(path + ".$ref", "refers to itself without an end");
      here = &find((*here)["$ref"].get<std::string>(), path + ".$ref");
    }
    return *here;
  }

  GrammarExpr of_resolved(const Json& schema, const std::string& path) {
    if (schema == false) return nothing();
    if (schema == true || schema.empty()) return json_.any_value();
    for (const char* key : {"anyOf", "oneOf"}) {
      if (schema.contains(key)) return alternatives(schema, key, path);
    }
    if (schema.contains("enum")) return enumeration(schema, path);
    std::vector<GrammarExpr> parts;
    for (const auto& type : written_types(schema)) {
      if (type == "integer" && schema.contains("type") && written_types(schema).count("number") > 0) continue;
      GrammarExpr part = of_type(type, schema, path);
      if (!is_nothing(part)) parts.push_back(std::move(part));
    }
    return expr_choice(std::move(parts));
  }

  GrammarExpr of_type(const std::string& type, const Json& schema, const std::string& path) {
    if (type == "object") return object(schema, path);
    if (type == "array") return array(schema, path);
    if (type == "string") return string(schema, path);
    if (type == "integer") return integer(schema);
    if (type == "number") return schema.contains("multipleOf") ? integer(schema) : number(schema, path);
    if (type == "boolean") return expr_choice({expr_text("true"), expr_text("false")});
    return expr_text("null");
  }

  GrammarExpr alternatives(const Json& schema, const std::string& key, const std::string& path) {
    Json rest = schema;
    rest.erase(key);
    const Json& all = schema[key];
    std::vector<GrammarExpr> parts;
    std::vector<Json> whole;
    for (size_t i = 0; i < all.size(); ++i) {
      const std::string here = fmt::format("{}.{}[{}]", path, key, i);
      if (rest.empty() && key == "anyOf") {
        parts.push_back(value(all[i], here));
      } else {
        whole.push_back(conjunction(rest, resolved(all[i], here), here));
        if (key == "oneOf") refuse_overlap(whole, path);
        parts.push_back(of_resolved(whole.back(), here));
      }
      if (is_nothing(parts.back())) parts.pop_back();
    }
    return expr_choice(std::move(parts));
  }

  static void refuse_overlap(const std::vector<Json>& alternatives, const std::string& path) {
    const size_t last = alternatives.size() - 1;
    for (size_t i = 0; i < last; ++i) {
      if (!surely_disjoint(alternatives[i], alternatives[last]) || !surely_disjoint(alternatives[last], alternatives[i])) {
        unsupported_schema(path + ".oneOf", fmt::format("a value may fit both alternative {} and {}; use anyOf, or a property with a const of its own in each", i, last));
      }
    }
  }

  GrammarExpr enumeration(const Json& schema, const std::string& path) {
    for (const auto& [name, ignored] : schema.items()) {
      if (name != "enum" && name != "type") unsupported_schema(path + "." + printable(name), "not supported beside enum or const");
    }
    std::vector<std::string> texts;
    std::vector<GrammarExpr> parts;
    for (const Json& entry : schema["enum"]) {
      if (!has_type(entry, schema)) continue;
      entry.is_structured() ? parts.push_back(json_.literal(entry)) : texts.push_back(dump_json(entry));
    }
    if (!texts.empty()) parts.push_back(one_of_texts(std::move(texts)));
    return expr_choice(std::move(parts));
  }

  GrammarExpr rule_of(GrammarExpr expr, const std::string& path) {
    if (expr.kind == GrammarExpr::Kind::kRule || expr.kind == GrammarExpr::Kind::kText) return expr;
    const int rule = builder_.add_rule(path);
    builder_.define(rule, std::move(expr));
    return expr_rule(rule);
  }

  static int64_t count_of(const Json& schema, const char* key, int64_t otherwise) {
    return schema.contains(key) ? static_cast<int64_t>(schema[key].get<double>()) : otherwise;
  }

  static void check_counts(int64_t min, int64_t max, const char* name, const std::string& path) {
    if (min > kMaxRepetition || max > kMaxRepetition) invalid_schema(path + "." + name, fmt::format("expected at most {}", kMaxRepetition));
  }

  GrammarExpr object(const Json& schema, const std::string& path) {
    const Json none = Json::object();
    const Json& properties = schema.contains("properties") ? schema["properties"] : none;
    std::set<std::string> required;
    if (schema.contains("required")) required = schema["required"].get<std::set<std::string>>();
    Json additional = schema.contains("additionalProperties") ? schema["additionalProperties"] : Json(!schema.contains("properties"));

    struct Member {
      GrammarExpr text;
      bool required;
    };
    std::vector<Member> members;
    const auto pair = [&](const std::string& name, GrammarExpr of_value) {
      return rule_of(expr_sequence({expr_text(dump_json(name)), json_.colon(), std::move(of_value)}), fmt::format("{}.properties.{}", path, printable(name)));
    };
    for (const auto& [name, member] : properties.items()) {
      const bool needed = required.erase(name) > 0;
      GrammarExpr of_value = value(member, fmt::format("{}.properties.{}", path, printable(name)));
      if (is_nothing(of_value) && needed) return nothing();
      if (!is_nothing(of_value)) members.push_back({pair(name, std::move(of_value)), needed});
    }
    std::vector<std::string> names;
    for (const auto& [name, member] : properties.items()) names.push_back(name);
    for (const std::string& name : required) {  // not among the properties
      GrammarExpr of_value = schema.contains("additionalProperties") ? value(additional, path + ".additionalProperties") : json_.any_value();
      if (is_nothing(of_value)) return nothing();
      members.push_back({pair(name, std::move(of_value)), true});
      names.push_back(name);
    }
    GrammarExpr more = nothing();
    if (additional != false) {
      GrammarExpr of_value = value(additional, path + ".additionalProperties");
      GrammarExpr key = names.empty() ? json_.string() : string_but(builder_, json_, names);
      if (!is_nothing(of_value)) more = rule_of(expr_sequence({std::move(key), json_.colon(), std::move(of_value)}), path + ".additionalProperties");
    }

    const int64_t min = count_of(schema, "minProperties", 0), max = count_of(schema, "maxProperties", -1);
    check_counts(min, max, "maxProperties", path);
    if (members.empty()) return map(more, min, max);
    const auto needed = std::count_if(members.begin(), members.end(), [](const Member& m) { return m.required; });
    if (min > needed) unsupported_schema(path + ".minProperties", "supported only for objects without named properties");
    if (max >= 0 && (max < std::ssize(members) || !is_nothing(more))) unsupported_schema(path + ".maxProperties", "supported only for objects without named properties");

    // What may follow a member, from the last to the first.
    std::vector<GrammarExpr> tails(members.size() + 1);
    if (!is_nothing(more)) tails.back() = rule_of(expr_repeat(expr_sequence({json_.comma(), more}), 0, -1), path);
    for (size_t i = members.size(); i-- > 1;) {
      GrammarExpr next = expr_sequence({json_.comma(), members[i].text});
      tails[i] = rule_of(expr_sequence({members[i].required ? std::move(next) : expr_optional(std::move(next)), tails[i + 1]}), path);
    }
    std::vector<GrammarExpr> firsts;
    bool may_be_empty = true;
    for (size_t i = 0; i < members.size() && may_be_empty; ++i) {
      firsts.push_back(expr_sequence({members[i].text, tails[i + 1]}));
      may_be_empty = !members[i].required;
    }
    if (may_be_empty && !is_nothing(more)) firsts.push_back(expr_sequence({more, tails.back()}));
    GrammarExpr filled = json_.braces(expr_choice(std::move(firsts)));
    return may_be_empty ? expr_choice({expr_text("{}"), std::move(filled)}) : filled;
  }

  GrammarExpr map(const GrammarExpr& member, int64_t min, int64_t max) {
    std::vector<GrammarExpr> parts;
    if (min == 0) parts.push_back(expr_text("{}"));
    if (max != 0 && !is_nothing(member) && (max < 0 || min <= max)) {
      GrammarExpr others = expr_repeat(expr_sequence({json_.comma(), member}), std::max<int64_t>(min - 1, 0), max < 0 ? -1 : max - 1);
      parts.push_back(json_.braces(expr_sequence({member, std::move(others)})));
    }
    return expr_choice(std::move(parts));
  }

  GrammarExpr array(const Json& schema, const std::string& path) {
    const int64_t min = count_of(schema, "minItems", 0), most = count_of(schema, "maxItems", -1);
    check_counts(min, most, "maxItems", path);
    std::vector<GrammarExpr> first;
    bool cut = false;  // no value is valid at some place: no array is that long
    if (schema.contains("prefixItems")) {
      for (size_t i = 0; i < schema["prefixItems"].size() && !cut; ++i) {
        GrammarExpr item = value(schema["prefixItems"][i], fmt::format("{}.prefixItems[{}]", path, i));
        cut = is_nothing(item);
        if (!cut) first.push_back(rule_of(std::move(item), fmt::format("{}.prefixItems[{}]", path, i)));
      }
    }
    GrammarExpr rest = cut ? nothing() : !schema.contains("items") ? (first.empty() ? json_.any_value() : nothing()) : value(schema["items"], path + ".items");
    int64_t max = most;
    if (is_nothing(rest)) max = max < 0 ? std::ssize(first) : std::min<int64_t>(max, std::ssize(first));
    if (max >= 0 && min > max) return nothing();
    if (max == 0) return expr_text("[]");
    if (!is_nothing(rest)) rest = rule_of(std::move(rest), path + ".items");

    // From the last place with a schema of its own to the first: each with what may follow it.
    const int64_t named = std::min<int64_t>(std::ssize(first), max < 0 ? std::ssize(first) : max);
    GrammarExpr tail;
    if (!is_nothing(rest) && (max < 0 || max > std::max<int64_t>(named, 1))) {
      const int64_t before = std::max<int64_t>(named, 1);
      tail = expr_repeat(expr_sequence({json_.comma(), rest}), std::max<int64_t>(min - before, 0), max < 0 ? -1 : max - before);
    }
    for (int64_t i = named - 1; i >= 1; --i) {
      GrammarExpr with = expr_sequence({json_.comma(), first[static_cast<size_t>(i)], std::move(tail)});
      tail = min > i ? std::move(with) : expr_optional(std::move(with));
    }
    GrammarExpr filled = json_.brackets(expr_sequence({named > 0 ? first[0] : rest, std::move(tail)}));
    return min > 0 ? filled : expr_choice({expr_text("[]"), std::move(filled)});
  }

  GrammarExpr string(const Json& schema, const std::string& path) {
    const int64_t min = count_of(schema, "minLength", 0), max = count_of(schema, "maxLength", -1);
    check_counts(min, max, "maxLength", path);
    if (max >= 0 && min > max) return nothing();
    const bool counted = min > 0 || max >= 0;
    if (schema.contains("pattern") && schema.contains("format")) unsupported_schema(path + ".format", "not supported beside pattern");
    for (const char* key : {"pattern", "format"}) {
      if (!schema.contains(key)) continue;
      const std::string here = fmt::format("{}.{}", path, key);
      if (counted) unsupported_schema(here, "not supported beside minLength or maxLength");
      auto pattern = schema[key].get<std::string>();
      if (key == std::string_view("format")) {
        const auto known = pattern_of_format(pattern);
        if (!known) unsupported_schema(here, fmt::format("the format \"{}\" is not supported", printable(pattern)));
        pattern = *known;
      }
      return expr_sequence({expr_text("\""), pattern_in_json(pattern, json_, here), expr_text("\"")});
    }
    return json_.string(min, max);
  }

  static GrammarExpr integer(const Json& schema) {
    constexpr double kFar = 1e17;
    std::optional<int64_t> low, high;
    const auto at_least = [&](double x) {
      const auto value = static_cast<int64_t>(std::clamp(std::ceil(x), -kFar, kFar));
      low = std::max(low.value_or(value), value);
    };
    const auto at_most = [&](double x) {
      const auto value = static_cast<int64_t>(std::clamp(std::floor(x), -kFar, kFar));
      high = std::min(high.value_or(value), value);
    };
    if (schema.contains("minimum")) at_least(schema["minimum"].get<double>());
    if (schema.contains("maximum")) at_most(schema["maximum"].get<double>());
    if (schema.contains("exclusiveMinimum")) at_least(std::floor(schema["exclusiveMinimum"].get<double>()) + 1);
    if (schema.contains("exclusiveMaximum")) at_most(std::ceil(schema["exclusiveMaximum"].get<double>()) - 1);
    return integer_range(low, high);
  }

  // Millionths of a bound; beyond what numbers are written with, the nearest that is.
  static int64_t millionths(const Json& schema, const char* key, const std::string& path) {
    const double value = schema[key].get<double>();
    if (std::fabs(value) >= 1e9) return value < 0 ? -kMaxDecimal - 1 : kMaxDecimal + 1;
    const auto scaled = static_cast<int64_t>(std::llround(value * static_cast<double>(kDecimalScale)));
    if (static_cast<double>(scaled) / static_cast<double>(kDecimalScale) != value) {
      unsupported_schema(fmt::format("{}.{}", path, key), "bounds of numbers with more than six digits after the point are not supported");
    }
    return scaled;
  }

  GrammarExpr number(const Json& schema, const std::string& path) {
    int64_t low = -kMaxDecimal, high = kMaxDecimal;
    bool bounded = false;
    const auto bound = [&](const char* key, bool lower, int64_t shift) {
      if (!schema.contains(key)) return;
      bounded = true;
      const int64_t value = millionths(schema, key, path) + shift;
      lower ? low = std::max(low, value) : high = std::min(high, value);
    };
    bound("minimum", true, 0);
    bound("exclusiveMinimum", true, 1);
    bound("maximum", false, 0);
    bound("exclusiveMaximum", false, -1);
    return bounded ? decimal_range(low, high) : json_.number();
  }

  GrammarBuilder& builder_;
  const JsonText& json_;
  const Json& root_;
  const std::string path_;
  int steps_ = 0, level_ = 0;
  std::map<const Json*, Ref> refs_;
  std::deque<std::pair<const Json*, int>> refs_todo_;
};

Grammar compiled(GrammarBuilder& builder, GrammarExpr root) {
  const int rule = builder.add_rule("the schema");
  builder.define(rule, std::move(root));
  return builder.compile(rule);
}

}  // namespace

Grammar schema_grammar(const Json& schema, const std::string& path) {
  GrammarBuilder builder(kCode);
  const JsonText json(builder);
  try {
    return compiled(builder, SchemaCompiler(builder, json, schema, path).compile());
  } catch (const Error& e) {
    if (!e.param.empty()) throw;
    throw Error(e.kind, e.code, fmt::format("{}: {}", path, e.what()), path);  // the builder knows no paths
  }
}

Grammar json_object_grammar() {
  GrammarBuilder builder(kCode);
  const JsonText json(builder);
  return compiled(builder, json.any_object());
}

Grammar tool_call_grammar(const std::vector<ToolSchema>& tools, ToolCalls calls) {
  GrammarBuilder builder(kCode);
  const JsonText json(builder);
  const auto marker = [](const MarkerToken& m) { return expr_text(std::string(1, static_cast<char>(m.byte))); };
  std::vector<GrammarExpr> bodies;
  for (const ToolSchema& tool : tools) {
    Json parameters = tool.parameters;
    if (parameters.is_object() && written_types(parameters).size() > 1 && !parameters.contains("type")) parameters["type"] = "object";
    GrammarExpr arguments = tool.free              ? json.any_object()
                            : parameters.is_null() ? expr_text("{}")
                                                   : SchemaCompiler(builder, json, parameters, tool.path).compile();
    bodies.push_back(expr_sequence({expr_text(fmt::format("\n{{\"name\": {}, \"arguments\": ", dump_json(tool.name))), std::move(arguments), expr_text("}\n")}));
  }
  const int call_rule = builder.add_rule("a call");
  builder.define(call_rule, expr_sequence({marker(kToolCallMarker), expr_choice(std::move(bodies)), marker(kToolCallEndMarker)}));
  const GrammarExpr call = expr_rule(call_rule);
  if (calls == ToolCalls::kOne) return compiled(builder, call);
  if (calls == ToolCalls::kSome) return compiled(builder, expr_sequence({call, expr_repeat(expr_sequence({expr_text("\n"), call}), 0, -1)}));
  return compiled(builder, expr_repeat(expr_choice({expr_class({{0, 0x10FFFF}}), call}), 0, -1));
}

}  // namespace qvl
