// Is a value valid under a schema? Written from the standard, not from the grammar: the other route to the same answer.
#pragma once

#include <cmath>
#include <regex>
#include <string>

#include "base/json.h"
#include "base/utf8.h"

namespace qvl {

class SmallValidator {
 public:
  explicit SmallValidator(const Json& root) : root_(root) {}
  bool valid(const Json& value) const { return valid(value, root_); }

 private:
  static bool is_type(const Json& v, const std::string& type) {
    if (type == "integer") return v.is_number() && std::floor(v.get<double>()) == v.get<double>();
    if (type == "number") return v.is_number();
    return type == v.type_name();
  }

  bool valid(const Json& v, const Json& s) const {
    if (s.is_boolean()) return s.get<bool>();
    if (s.contains("$ref") && !valid(v, root_.at(Json::json_pointer(s["$ref"].get<std::string>().substr(1))))) return false;
    if (s.value("nullable", false) && v.is_null()) return true;
    if (s.contains("type")) {
      bool any = false;
      for (const Json& t : s["type"].is_array() ? s["type"] : Json::array({s["type"]})) any = any || is_type(v, t.get<std::string>());
      if (!any) return false;
    }
    if (s.contains("const") && v != s["const"]) return false;
    if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), v) == s["enum"].end()) return false;
    int count = 0;
    if (s.contains("allOf")) {
      for (const Json& part : s["allOf"]) {
        if (!valid(v, part)) return false;
      }
    }
    if (s.contains("anyOf")) {
      for (const Json& part : s["anyOf"]) count += valid(v, part);
      if (count == 0) return false;
    }
    if (s.contains("oneOf")) {
      count = 0;
      for (const Json& part : s["oneOf"]) count += valid(v, part);
      if (count != 1) return false;
    }
    return v.is_object() ? object(v, s) : v.is_array() ? array(v, s) : v.is_string() ? string(v, s) : v.is_number() ? number(v, s) : true;
  }

  bool object(const Json& v, const Json& s) const {
    if (s.contains("required")) {
      for (const Json& name : s["required"]) {
        if (!v.contains(name.get<std::string>())) return false;
      }
    }
    if (v.size() < s.value("minProperties", 0u) || v.size() > s.value("maxProperties", 100000u)) return false;
    for (const auto& [key, member] : v.items()) {
      if (s.contains("properties") && s["properties"].contains(key)) {
        if (!valid(member, s["properties"][key])) return false;
      } else if (s.contains("additionalProperties") && !valid(member, s["additionalProperties"])) {
        return false;
      }
    }
    return true;
  }

  bool array(const Json& v, const Json& s) const {
    if (v.size() < s.value("minItems", 0u) || v.size() > s.value("maxItems", 100000u)) return false;
    const size_t named = s.contains("prefixItems") ? s["prefixItems"].size() : 0;
    for (size_t i = 0; i < v.size(); ++i) {
      if (i < named ? !valid(v[i], s["prefixItems"][i]) : s.contains("items") && !valid(v[i], s["items"])) return false;
    }
    return true;
  }

  bool string(const Json& v, const Json& s) const {
    const auto text = v.get<std::string>();
    size_t length = 0;
    std::wstring wide;
    for (size_t pos = 0; pos < text.size(); ++length) {
      const Utf8Step step = utf8_next(text, pos);
      wide += static_cast<wchar_t>(step.code_point);
      pos += step.length;
    }
    if (length < s.value("minLength", 0u) || length > s.value("maxLength", 1000000u)) return false;
    if (s.contains("pattern")) {
      const auto pattern = s["pattern"].get<std::string>();
      if (!std::regex_search(wide, std::wregex(pattern.begin(), pattern.end()))) return false;
    }
    if (!s.contains("format")) return true;
    const auto format = s["format"].get<std::string>();
    const std::string date = R"(\d{4}-(0\d|1[0-2])-([0-2]\d|3[01]))", time = R"(\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))";
    if (format == "date") return std::regex_match(text, std::regex(date));
    if (format == "time") return std::regex_match(text, std::regex(time));
    if (format == "date-time") return std::regex_match(text, std::regex(date + "T" + time));
    if (format == "uuid") return std::regex_match(text, std::regex("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"));
    if (format == "email") return std::regex_match(text, std::regex(R"([^@\s"]+@[^@\s"]+\.[A-Za-z]+)"));
    return true;
  }

  static bool number(const Json& v, const Json& s) {
    const double x = v.get<double>();
    return !(s.contains("minimum") && x < s["minimum"].get<double>()) && !(s.contains("maximum") && x > s["maximum"].get<double>()) &&
           !(s.contains("exclusiveMinimum") && x <= s["exclusiveMinimum"].get<double>()) &&
           !(s.contains("exclusiveMaximum") && x >= s["exclusiveMaximum"].get<double>());
  }

  const Json& root_;
};

}  // namespace qvl
