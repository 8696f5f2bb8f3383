// Fields of a JSON object with their ranges, for configuration files: what is missing, of the wrong type or out of
// range is reported as `config.json: text_config.hidden_size: expected 1..65536, found 0`. null counts as absent.
// Thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace qvl {

class ConfigReader {
 public:
  // json must outlive the reader. path: "" or "text_config.", the object's place in the file.
  ConfigReader(const Json& json, std::string file, std::string path = "");

  bool has(const char* key) const { return find(key) != nullptr; }

  // Whole numbers; 2.0 is not one. Without a fallback the field is required.
  int64_t integer64(const char* key, int64_t min, int64_t max, std::optional<int64_t> fallback = {}) const;
  int integer(const char* key, int min, int max, std::optional<int> fallback = {}) const;
  double number(const char* key, double min, double max, std::optional<double> fallback = {}) const;
  std::optional<double> optional_number(const char* key, double min, double max) const;
  bool boolean(const char* key, bool fallback) const;
  std::string word(const char* key, const std::string& fallback) const;
  // A word of which only some values are known.
  std::string word_of(const char* key, const std::vector<std::string>& allowed, const std::string& fallback) const;
  std::vector<int> integers(const char* key, int min, int max, size_t max_count) const;         // absent: empty
  std::vector<int> integer_or_list(const char* key, int min, int max, size_t max_count) const;  // absent: empty
  ConfigReader object(const char* key) const;                                                   // required

  // Throws: "<file>: <path><key>: expected <expected>, found <the value>".
  [[noreturn]] void fail(const std::string& key, const std::string& expected) const;

 private:
  const Json* find(const std::string& key) const;

  const Json* json_;
  std::string file_, path_;
};

}  // namespace qvl
