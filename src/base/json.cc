#include "base/json.h"

#include <cmath>
#include <unordered_set>
#include <vector>

#include "base/utf8.h"

namespace qvl {
namespace {

// Nesting depth outside of strings; stops counting past `limit`. The parser itself is iterative, but deep values make
// every later walk over them deep as well.
size_t nesting_depth(std::string_view text, size_t limit) {
  size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
      if (deepest > limit) return deepest;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

// Shortest digits that read back to the same double, laid out as Python's repr lays them out.
std::string python_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  const double magnitude = std::fabs(value);
  std::string text = fmt::format("{}", value);
  if (magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16)) {
    // fmt writes 1e+16 and 1e-05 as Python does.
    return text;
  }
  if (text.find('e') != std::string::npos) text = fmt::format("{:.0f}", value);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

void python_string(std::string& out, const std::string& text) {
  out += '"';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void python_value(std::string& out, const Json& json) {
  switch (json.type()) {
    case Json::value_t::object: {
      out += '{';
      bool first = true;
      for (const auto& [key, value] : json.items()) {
        if (!first) out += ", ";
        first = false;
        python_string(out, key);
        out += ": ";
        python_value(out, value);
      }
      out += '}';
      break;
    }
    case Json::value_t::array: {
      out += '[';
      bool first = true;
      for (const auto& value : json) {
        if (!first) out += ", ";
        first = false;
        python_value(out, value);
      }
      out += ']';
      break;
    }
    case Json::value_t::string: python_string(out, json.get_ref<const std::string&>()); break;
    case Json::value_t::number_float: out += python_float(json.get<double>()); break;
    default: out += json.dump(); break;
  }
}

}  // namespace

Json parse_json(std::string_view text, std::string_view what, ErrorKind kind, const std::string& code,
                const JsonLimits& limits) {
  if (!utf8_valid(text)) throw Error(kind, code, fmt::format("{}: expected JSON in UTF-8, found invalid UTF-8", what));
  // nlohmann takes a zero byte for the end of the text and would not look at what stands behind it.
  if (const size_t zero = text.find('\0'); zero != text.npos) {
    throw Error(kind, code, fmt::format("{}: expected valid JSON, found a zero byte at byte {}", what, zero));
  }
  if (nesting_depth(text, limits.max_depth) > limits.max_depth) {
    throw Error(kind, kind == ErrorKind::kInvalidRequest ? "too_deep" : code,
                fmt::format("{}: JSON is nested more than {} levels deep", what, limits.max_depth));
  }
  std::vector<std::unordered_set<std::string>> open_objects;
  std::string duplicate;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      open_objects.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      open_objects.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!open_objects.back().insert(key).second && duplicate.empty()) duplicate = key;
    }
    return true;
  };
  Json json;
  try {
    json = limits.reject_duplicate_keys ? Json::parse(text, watch) : Json::parse(text);
  } catch (const Json::out_of_range&) {
    throw Error(kind, "invalid_value", fmt::format("{}: a number is outside of the range of a double", what));
  } catch (const Json::parse_error& e) {
    throw Error(kind, code, fmt::format("{}: expected valid JSON, found an error at byte {}", what, e.byte));
  }
  if (!duplicate.empty()) {
    throw Error(kind, code, fmt::format("{}: the key \"{}\" stands twice in one object", what, printable(duplicate)));
  }
  return json;
}

std::string dump_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string dump_json_python(const Json& json) {
  std::string out;
  python_value(out, json);
  return out;
}

}  // namespace qvl
