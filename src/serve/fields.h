// Reads typed fields of a JSON object that a client sent: null and absent give nothing, the rest is checked.
// Errors: kInvalidRequest "invalid_type", "invalid_value", "missing_required", "too_many", "too_large"; param names the
// field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace qvl {

class Fields {
 public:
  // path: how messages name the object, "" for the request itself. The object outlives this.
  explicit Fields(const Json& object, std::string path = "") : object_(object), path_(std::move(path)) {}

  // nullptr where the field is absent or null.
  const Json* find(const char* name) const;
  bool has(const char* name) const { return find(name) != nullptr; }

  std::optional<double> number(const char* name, double low, double high) const;
  // 5.0 counts as 5; 1.5 is an invalid_type.
  std::optional<int64_t> integer(const char* name, int64_t low, int64_t high) const;
  std::optional<bool> boolean(const char* name) const;
  std::optional<std::string> string(const char* name, size_t max_bytes = SIZE_MAX) const;
  const Json* array(const char* name, size_t max_items = SIZE_MAX) const;
  const Json* object(const char* name) const;
  void require(const char* name) const;  // throws missing_required

  std::string path_of(std::string_view name) const;

 private:
  const Json& object_;
  std::string path_;
};

[[noreturn]] void invalid_type(const std::string& param, std::string_view expected, const Json& found);
[[noreturn]] void invalid_value(const std::string& param, const std::string& message);
[[noreturn]] void missing_required(const std::string& param);
[[noreturn]] void unsupported(const std::string& param, const std::string& message);
[[noreturn]] void too_large(const std::string& param, size_t max_bytes);

// An integer given as such or as a float without fraction. Errors as Fields::integer.
int64_t to_integer(const Json& value, const std::string& param, int64_t low, int64_t high);

}  // namespace qvl
