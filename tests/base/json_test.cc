#include "base/json.h"

#include <gtest/gtest.h>

namespace qvl {
namespace {

Json parse(std::string_view text, JsonLimits limits = {}) {
  return parse_json(text, "test", ErrorKind::kInvalidRequest, "invalid_json", limits);
}

std::string code_of(std::string_view text, JsonLimits limits = {}) {
  try {
    parse(text, limits);
  } catch (const Error& e) {
    return e.code;
  }
  return "";
}

TEST(Json, RejectsWhatIsNotOneDocument) {
  for (const char* text : {"", "{", "{} {}", "0x10", "Infinity", "{\"a\":\"\xff\"}", "\"\\ud800\"", "\"a\nb\""}) {
    EXPECT_EQ(code_of(text), "invalid_json") << text;
  }
  EXPECT_EQ(code_of(std::string(65, '[') + std::string(65, ']')), "too_deep");
  EXPECT_EQ(code_of(std::string(1000000, '{')), "too_deep");
  EXPECT_EQ(code_of(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(code_of("1e400"), "invalid_value");
  EXPECT_EQ(code_of("{\"a\":1,\"b\":{\"a\":2},\"a\":3}", {.reject_duplicate_keys = true}), "invalid_json");
  EXPECT_EQ(code_of("{\"a\":1,\"b\":{\"a\":2}}", {.reject_duplicate_keys = true}), "");
}

TEST(Json, RejectsZeroBytes) {
  using namespace std::string_view_literals;
  for (const auto text : {"\0"sv, "{}\0"sv, "{}\0junk"sv, "\0{}"sv, "{\"a\":\0 1}"sv, "{\"a\":\"x\0y\"}"sv, "[1,\0]"sv}) {
    EXPECT_EQ(code_of(text), "invalid_json") << text;
  }
  EXPECT_EQ(code_of(R"({"a":"\u0000"})"), "");
}

TEST(Json, PythonSpelling) {
  EXPECT_EQ(dump_json_python(parse(R"({"b":400.0,"a":[1,-2.5,1e16,1e-5,0.0001,123456789012345.0],"c":"é<&'\"\n","d":null,"e":true})")),
            R"({"b": 400.0, "a": [1, -2.5, 1e+16, 1e-05, 0.0001, 123456789012345.0], "c": "é<&'\"\n", "d": null, "e": true})");
}

}  // namespace
}  // namespace qvl
