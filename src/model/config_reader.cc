#include "model/config_reader.h"

#include <algorithm>
#include <limits>

namespace qvl {
namespace {

std::optional<int64_t> whole(const Json& value) {
  if (value.is_number_unsigned()) {
    const uint64_t number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  return std::nullopt;
}

std::string quoted_list(const std::vector<std::string>& words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += '"' + words[i] + '"';
  }
  return out;
}

}  // namespace

ConfigReader::ConfigReader(const Json& json, std::string file, std::string path)
    : json_(&json), file_(std::move(file)), path_(std::move(path)) {
  if (!json.is_object()) {
    const std::string place = path_.empty() ? "" : fmt::format("{}: ", path_.substr(0, path_.size() - 1));
    throw_error(ErrorKind::kModel, "model_config", "{}: {}expected a JSON object, found {}", file_, place,
                printable(dump_json(json)));
  }
}

const Json* ConfigReader::find(const std::string& key) const {
  const auto it = json_->find(key);
  return it == json_->end() || it->is_null() ? nullptr : &*it;
}

void ConfigReader::fail(const std::string& key, const std::string& expected) const {
  const Json* value = find(key);
  throw_error(ErrorKind::kModel, "model_config", "{}: {}{}: expected {}, found {}", file_, path_, key, expected,
              value == nullptr ? "nothing" : printable(dump_json(*value)));
}

int64_t ConfigReader::integer64(const char* key, int64_t min, int64_t max, std::optional<int64_t> fallback) const {
  const Json* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  const auto number = value == nullptr ? std::nullopt : whole(*value);
  if (!number || *number < min || *number > max) {
    fail(key, min == max ? fmt::to_string(min) : fmt::format("{}..{}", min, max));
  }
  return *number;
}

int ConfigReader::integer(const char* key, int min, int max, std::optional<int> fallback) const {
  return static_cast<int>(integer64(key, min, max, fallback ? std::optional<int64_t>(*fallback) : std::nullopt));
}

double ConfigReader::number(const char* key, double min, double max, std::optional<double> fallback) const {
  const Json* value = find(key);
  if (value == nullptr && fallback) return *fallback;
  if (value == nullptr || !value->is_number()) fail(key, fmt::format("a number of {}..{}", min, max));
  const double number = value->get<double>();
  if (!(number >= min && number <= max)) fail(key, fmt::format("{}..{}", min, max));
  return number;
}

std::optional<double> ConfigReader::optional_number(const char* key, double min, double max) const {
  if (!has(key)) return std::nullopt;
  return number(key, min, max);
}

bool ConfigReader::boolean(const char* key, bool fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(key, "true or false");
  return value->get<bool>();
}

std::string ConfigReader::word(const char* key, const std::string& fallback) const {
  const Json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) fail(key, "a string");
  return value->get<std::string>();
}

std::string ConfigReader::word_of(const char* key, const std::vector<std::string>& allowed,
                                  const std::string& fallback) const {
  const std::string found = word(key, fallback);
  if (std::find(allowed.begin(), allowed.end(), found) == allowed.end()) fail(key, quoted_list(allowed));
  return found;
}

std::vector<int> ConfigReader::integers(const char* key, int min, int max, size_t max_count) const {
  const Json* value = find(key);
  if (value == nullptr) return {};
  const std::string expected = fmt::format("a list of at most {} numbers of {}..{}", max_count, min, max);
  if (!value->is_array() || value->size() > max_count) fail(key, expected);
  std::vector<int> out;
  for (const Json& item : *value) {
    const auto number = whole(item);
    if (!number || *number < min || *number > max) fail(key, expected);
    out.push_back(static_cast<int>(*number));
  }
  return out;
}

std::vector<int> ConfigReader::integer_or_list(const char* key, int min, int max, size_t max_count) const {
  const Json* value = find(key);
  if (value == nullptr || value->is_array()) return integers(key, min, max, max_count);
  return {integer(key, min, max)};
}

ConfigReader ConfigReader::object(const char* key) const {
  const Json* value = find(key);
  if (value == nullptr) fail(key, "an object");
  return ConfigReader(*value, file_, path_ + key + ".");
}

}  // namespace qvl
