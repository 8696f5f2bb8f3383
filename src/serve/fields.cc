#include "serve/fields.h"

#include <cmath>

namespace qvl {
namespace {

[[noreturn]] void out_of_range(const std::string& param, const std::string& range, const Json& found) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_value",
              fmt::format("{}: expected {}, found {}", param, range, printable(dump_json(found))), param);
}

}  // namespace

void invalid_type(const std::string& param, std::string_view expected, const Json& found) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_type",
              fmt::format("{}: expected {}, found {}", param, expected, found.type_name()), param);
}

void invalid_value(const std::string& param, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "invalid_value", fmt::format("{}: {}", param, message), param);
}

void missing_required(const std::string& param) {
  throw Error(ErrorKind::kInvalidRequest, "missing_required", fmt::format("{}: required, but missing", param), param);
}

void unsupported(const std::string& param, const std::string& message) {
  throw Error(ErrorKind::kInvalidRequest, "unsupported", fmt::format("{}: {}", param, message), param);
}

void too_large(const std::string& param, size_t max_bytes) {
  throw Error(ErrorKind::kInvalidRequest, "too_large", fmt::format("{}: expected at most {} bytes", param, max_bytes),
              param);
}

int64_t to_integer(const Json& value, const std::string& param, int64_t low, int64_t high) {
  const auto refuse = [&] { out_of_range(param, fmt::format("an integer from {} to {}", low, high), value); };
  int64_t result = 0;
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) refuse();
    result = static_cast<int64_t>(number);
  } else if (value.is_number_integer()) {
    result = value.get<int64_t>();
  } else if (value.is_number_float()) {
    const auto number = value.get<double>();
    if (std::nearbyint(number) != number) invalid_type(param, "an integer", value);
    if (std::fabs(number) > 9007199254740992.0) refuse();
    result = static_cast<int64_t>(number);
  } else {
    invalid_type(param, "an integer", value);
  }
  if (result < low || result > high) refuse();
  return result;
}

const Json* Fields::find(const char* name) const {
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

std::optional<double> Fields::number(const char* name, double low, double high) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_number()) invalid_type(path_of(name), "a number", *value);
  const auto number = value->get<double>();
  if (!(number >= low && number <= high))
    out_of_range(path_of(name), fmt::format("a number from {} to {}", low, high), *value);
  return number;
}

std::optional<int64_t> Fields::integer(const char* name, int64_t low, int64_t high) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  return to_integer(*value, path_of(name), low, high);
}

std::optional<bool> Fields::boolean(const char* name) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_boolean()) invalid_type(path_of(name), "true or false", *value);
  return value->get<bool>();
}

std::optional<std::string> Fields::string(const char* name, size_t max_bytes) const {
  const Json* value = find(name);
  if (!value) return std::nullopt;
  if (!value->is_string()) invalid_type(path_of(name), "a string", *value);
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    throw Error(ErrorKind::kInvalidRequest, "too_large",
                fmt::format("{}: expected at most {} bytes, found {}", path_of(name), max_bytes, text.size()),
                path_of(name));
  }
  return text;
}

const Json* Fields::array(const char* name, size_t max_items) const {
  const Json* value = find(name);
  if (!value) return nullptr;
  if (!value->is_array()) invalid_type(path_of(name), "an array", *value);
  if (value->size() > max_items) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("{}: expected at most {} items, found {}", path_of(name), max_items, value->size()),
                path_of(name));
  }
  return value;
}

const Json* Fields::object(const char* name) const {
  const Json* value = find(name);
  if (value && !value->is_object()) invalid_type(path_of(name), "an object", *value);
  return value;
}

void Fields::require(const char* name) const {
  if (object_.find(name) == object_.end()) missing_required(path_of(name));
}

}  // namespace qvl
