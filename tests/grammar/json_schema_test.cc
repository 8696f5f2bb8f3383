#include "grammar/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "grammar/number_range.h"
#include "tests/grammar/grammar_test_tools.h"
#include "tests/grammar/small_validator.h"

namespace qvl {
namespace {

using ::testing::HasSubstr;

Json parse(const std::string& text) { return parse_json(text, "test", ErrorKind::kInternal, "test"); }
Json nested_schema(int levels) {
  Json schema = parse(R"({"type":"integer"})");
  for (int i = 0; i < levels; ++i) schema = Json{{"type", "array"}, {"items", schema}};
  return schema;
}

struct SchemaCase {
  const char* schema;
  std::vector<const char*> good, bad;
};

const SchemaCase kCases[] = {
    {R"({})", {"1", "null", "\"x\"", "[1, {\"a\": []}]", "-0.5e-10"}, {"", "01", "1.", "nul", "[1,]", "{\"a\"}"}},
    {R"(true)", {"true", "{}"}, {"True"}},
    {R"({"type":"boolean"})", {"true", "false"}, {"null", "0"}},
    {R"({"type":["string","null"]})", {"null", "\"a\"", "\"\""}, {"1", "true"}},
    {R"({"type":"string","nullable":true})", {"null", "\"a\""}, {"1"}},
    {R"({"type":"string"})", {R"("a\n\u00e9\ud83d\ude00\"é")"}, {"\"\n\"", R"("\ud83d")", R"("\x")", "\"a", "\"\xC3\""}},
    {R"({"type":"string","minLength":2,"maxLength":3})", {R"("ab")", R"("éé")", R"("\n\ud83d\ude00a")"}, {R"("a")", R"("abcd")", R"("\n")"}},
    {R"({"type":"integer"})", {"0", "-1", "1234567890123456"}, {"1.0", "01", "12345678901234567", "1e5", "-"}},
    {R"({"type":"number"})", {"0", "-1.25", "1e5", "2E-10"}, {".5", "1e500", "+1", "1.", "-"}},
    {R"({"enum":["red","green",1,null,{"a":[1,2]},"gre"]})", {R"("red")", R"("gre")", R"("green")", "1", "null", R"({"a": [1, 2]})"}, {R"("gree")", "2", R"({"a":[1]})"}},
    {R"({"const":"x\"y"})", {R"("x\"y")"}, {R"("x")"}},
    {R"({"type":"integer","enum":[1,1.5,"1"]})", {"1"}, {"1.5", "\"1\""}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a","b"],"additionalProperties":false})",
     {R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x"})", "{\n  \"a\": 1,\n  \"b\": \"x\"\n}"},
     {"{}", R"({"a":1})", R"({"b":"x","a":1})", R"({"a":1,"b":"x","c":2})", R"({"a":1,  "b":"x"})", "{\n\n\"a\":1,\"b\":\"x\"}", R"({"a" :1,"b":"x"})", R"({"a":1,"b":"x",})"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"},"c":{"const":3}},"required":["b"]})",
     {R"({"b":null})", R"({"a":1,"b":null})", R"({"a":1,"b":null,"c":3})", R"({"b":null,"c":3})"}, {"{}", R"({"a":1})", R"({"c":3})", R"({"a":1,"c":3})", R"({,"b":null})"}},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"null"}}})", {"{}", R"({"a":1})", R"({"b":null})", R"({"a":1,"b":null})"}, {R"({"b":null,"a":1})"}},
    {R"({"type":"object"})", {"{}", R"({"x":[{}]})"}, {"[]"}},
    {R"({"type":"object","additionalProperties":{"type":"integer"}})", {"{}", R"({"x":1,"y":2})"}, {R"({"x":"1"})"}},
    {R"({"type":"object","properties":{"ab":{"type":"integer"},"a":{"type":"integer"}},"additionalProperties":{"type":"string"},"required":["ab"]})",
     {R"({"ab":1})", R"({"ab":1,"a":2,"abc":"x","b":"","":"e","aé":"y"})"}, {R"({"ab":1,"a":"x"})", R"({"ab":1,"\u0061":"x"})", R"({"ab":1,"c":2})"}},
    {R"({"type":"object","required":["x"]})", {R"({"x":1})", R"({"x":[],"y":2})"}, {"{}", R"({"y":2})"}},
    {R"({"type":"object","additionalProperties":{"type":"null"},"minProperties":2,"maxProperties":3})", {R"({"a":null,"b":null})"}, {"{}", R"({"a":null})", R"({"a":null,"b":null,"c":null,"d":null})"}},
    {R"({"type":"array","items":{"type":"integer"}})", {"[]", "[1]", "[1,2, 3]", "[\n  1,\n  2\n]"}, {"[,]", "[1,]", "[\"1\"]", "[1,,2]"}},
    {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":4})", {"[1,2]", "[1,2,3,4]"}, {"[]", "[1]", "[1,2,3,4,5]"}},
    {R"({"type":"array","items":{"type":"integer"},"maxItems":0})", {"[]"}, {"[1]"}},
    {R"({"type":"array","items":{"type":"integer"},"maxItems":1})", {"[]", "[1]"}, {"[1,2]"}},
    {R"({"type":"array","items":false})", {"[]"}, {"[1]"}},
    {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]})", {"[]", "[1]", "[1,\"a\"]"}, {"[\"a\"]", "[1,\"a\",2]"}},
    {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":{"type":"null"},"minItems":2,"maxItems":4})",
     {"[1,\"a\"]", "[1,\"a\",null,null]"}, {"[1]", "[1,\"a\",null,null,null]", "[1,\"a\",2]"}},
    {R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"boolean"}}]})", {"1", "[true]"}, {"[1]", "null"}},
    {R"({"type":"object","properties":{"k":{"type":"string"}},"required":["k"],"anyOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]})",
     {R"({"k":"","a":1})", R"({"k":"","b":1})"}, {R"({"k":""})", R"({"a":1})"}},
    {R"({"oneOf":[{"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":["t","x"]},{"type":"object","properties":{"t":{"const":"b"}},"required":["t"]},{"type":"null"}]})",
     {R"({"t":"a","x":1})", R"({"t":"b"})", "null"}, {R"({"t":"a"})", R"({"t":"b","x":1})"}},
    {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":0}},"required":["a"]},{"properties":{"a":{"maximum":5},"b":{"type":"null"}}}]})",
     {R"({"a":5})", R"({"a":0,"b":null})"}, {R"({"a":6})", R"({"a":-1})", R"({"b":null})"}},
    {R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v","next"]}}})",
     {R"({"v":1,"next":null})", R"({"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})"}, {R"({"v":1,"next":{}})"}},
    {R"({"type":"object","properties":{"children":{"type":"array","items":{"$ref":"#"}}}})", {"{}", R"({"children":[{},{"children":[]}]})"}, {R"({"children":[1]})"}},
    {R"({"$ref":"#/definitions/a","minimum":3,"definitions":{"a":{"type":"integer","maximum":5}}})", {"3", "5"}, {"2", "6"}},
    {R"({"type":"integer","minimum":-12,"maximum":105})", {"-12", "-9", "0", "99", "105"}, {"-13", "106", "-0", "1000"}},
    {R"({"type":"integer","exclusiveMinimum":0})", {"1", "9007199254740993"}, {"0", "-1"}},
    {R"({"type":"integer","minimum":0.5,"maximum":2.5})", {"1", "2"}, {"0", "3"}},
    {R"({"type":"number","minimum":0,"maximum":1})", {"0", "1", "0.5", "0.999999", "1.0", "1.000", "0.0"}, {"1.1", "1.000001", "-0.1", "2", "1e0", "01"}},
    {R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":0.25})", {"0.1", "0.000001", "0.249999"}, {"0", "0.0", "0.25", "0.250", "0.3"}},
    {R"({"type":"number","minimum":-1.5,"maximum":12.75})", {"-1.5", "-1.49", "-0.1", "0", "12.75", "12.7", "9.99", "11"}, {"-1.51", "-2", "12.76", "13", "12.750001"}},
    {R"({"type":"number","minimum":100})", {"100", "123456789.5"}, {"99.9", "-100"}},
    {R"({"type":"string","pattern":"^[a-z]{2,3}-\\d+$"})", {R"("ab-1")", R"("abc-123")"}, {R"("a-1")", R"("ab-")", R"("wxab-1")"}},
    {R"({"type":"string","pattern":"b+"})", {R"("abc")", R"("b")", R"("\nbb\u0041")"}, {R"("")", R"("ac")"}},
    {R"({"type":"string","pattern":"^a|z$"})", {R"("abc")", R"("xyz")"}, {R"("ba")"}},
    {R"({"type":"string","pattern":"^(?:a|\"|\\\\|\\n)(b(c)?){0,2}?[^a-c\\s]$"})", {R"("ax")", R"("\"bcb.")", R"("\\b\"")", R"("\n\\")"}, {R"("aa")", R"("a ")", R"("abbbx")"}},
    {R"({"type":"string","format":"date"})", {R"("2024-12-31")", R"("1999-02-28")"}, {R"("2024-13-01")", R"("2024-04-31")", R"("2024-02-30")", R"("24-01-01")"}},
    {R"({"type":"string","format":"date-time"})", {R"("2024-12-31T23:59:59Z")", R"("2024-12-31T00:00:00.123+02:00")"}, {R"("2024-12-31 00:00:00Z")", R"("2024-12-31T24:00:00Z")"}},
    {R"({"type":"string","format":"uuid"})", {R"("123e4567-e89b-12d3-a456-426614174000")"}, {R"("123e4567")"}},
    {R"({"type":"string","format":"email"})", {R"("a.b@example.com")"}, {R"("a@b")", R"("@x.com")", R"("a..b@x.com")"}},
    {R"({"type":"string","format":"ipv4"})", {R"("192.168.0.255")"}, {R"("256.1.1.1")", R"("1.1.1")", R"("01.1.1.1")"}},
    {R"({"type":"string","format":"uri"})", {R"("https://example.com/a/b?x=1#f")"}, {R"("example.com")", R"("http://a b")"}},
    {R"({"title":"T","description":"d","default":1,"examples":[1],"type":"integer","x-foo":{"a":1}})", {"7"}, {"\"7\""}},
};

TEST(JsonSchema, WritesWhatIsValid) {
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.schema);
    const Json schema = parse(c.schema);
    const auto grammar = with_demo(schema_grammar(schema, "schema"));
    const SmallValidator validator(schema);
    for (const char* text : c.good) {
      EXPECT_TRUE(matches(grammar, text)) << text;
      EXPECT_TRUE(validator.valid(Json::parse(text))) << text;  // the cases themselves
    }
    for (const char* text : c.bad) EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

// Whatever is written by chance is JSON and valid; and no walk ends where nothing may follow.
TEST(JsonSchema, RandomWalksAreValid) {
  std::mt19937 rng(3);
  int ended = 0;
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.schema);
    const Json schema = parse(c.schema);
    const auto grammar = with_demo(schema_grammar(schema, "schema"));
    const SmallValidator validator(schema);
    for (int i = 0; i < 12; ++i) {
      const Walk walk = random_walk(grammar, rng, 150);
      ASSERT_FALSE(walk.stuck) << walk.text;
      if (!walk.ended) continue;
      ++ended;
      Json value;
      ASSERT_NO_THROW(value = Json::parse(walk.text)) << walk.text;
      EXPECT_TRUE(validator.valid(value)) << walk.text;
    }
  }
  EXPECT_GT(ended, 400);
}

TEST(JsonSchema, MaskIsWhatTheTokensSay) {
  std::mt19937 rng(11);
  for (const auto& c : kCases) {
    const auto grammar = with_demo(schema_grammar(parse(c.schema), "schema"));
    GrammarMatcher matcher(grammar);
    for (int step = 0; step < 15 && !matcher.ended(); ++step) {
      const auto ids = allowed_ids(matcher);
      std::vector<int32_t> want;
      for (int32_t id = 0; id < demo_trie()->tokens(); ++id) {
        const auto bytes = demo_trie()->bytes(id);
        if (!bytes.empty() && matcher.allows(bytes)) want.push_back(id);
      }
      ASSERT_EQ(ids, want) << c.schema;
      ASSERT_TRUE(matcher.accept_token(ids[rng() % ids.size()]));
    }
  }
}

TEST(JsonSchema, RefusesWhatItCannotHold) {
  struct Refusal {
    const char *schema, *code, *param;
  };
  const Refusal cases[] = {
      {R"({"not":{"type":"string"}})", "unsupported_schema", "schema.not"},
      {R"({"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}})", "unsupported_schema", "schema.properties.a.uniqueItems"},
      {R"({"type":"object","patternProperties":{"^a":{}}})", "unsupported_schema", "schema.patternProperties"},
      {R"({"type":"object","requierd":["a"]})", "unsupported_schema", "schema.requierd"},
      {R"({"if":{},"then":{}})", "unsupported_schema", "schema.if"},
      {R"({"type":"array","contains":{}})", "unsupported_schema", "schema.contains"},
      {R"({"type":"number","multipleOf":0.5})", "unsupported_schema", "schema.multipleOf"},
      {R"({"type":"number","minimum":0.1234567})", "unsupported_schema", "schema.minimum"},
      {R"({"type":"string","format":"duration"})", "unsupported_schema", "schema.format"},
      {R"({"type":"string","pattern":"a","maxLength":3})", "unsupported_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"(?=a)b"})", "unsupported_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"(a)\\1"})", "unsupported_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"\\bword"})", "unsupported_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"a^b"})", "unsupported_schema", "schema.pattern"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "unsupported_schema", "schema.oneOf"},
      {R"({"oneOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"b":{"type":"string"}}}]})", "unsupported_schema", "schema.oneOf"},
      {R"({"allOf":[{"type":"string","pattern":"a"},{"pattern":"b"}]})", "unsupported_schema", "schema.allOf[1]"},
      {R"({"type":"object","properties":{"a":{}},"minProperties":1})", "unsupported_schema", "schema.minProperties"},
      {R"({"type":"string","pattern":"^+[a-z]$"})", "invalid_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"a{1,1000000}"})", "invalid_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"(a"})", "invalid_schema", "schema.pattern"},
      {R"x({"type":"string","pattern":"a)"})x", "invalid_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"[b-a]"})", "invalid_schema", "schema.pattern"},
      {R"({"type":"string","pattern":"a**"})", "invalid_schema", "schema.pattern"},
      {R"({"type":"text"})", "invalid_schema", "schema.type"},
      {R"({"type":[]})", "invalid_schema", "schema.type"},
      {R"({"properties":[]})", "invalid_schema", "schema.properties"},
      {R"({"items":5})", "invalid_schema", "schema.items"},
      {R"({"minLength":-1})", "invalid_schema", "schema.minLength"},
      {R"({"type":"string","maxLength":1000000})", "invalid_schema", "schema.maxLength"},
      {R"({"enum":[]})", "invalid_schema", "schema.enum"},
      {R"({"$ref":"http://127.0.0.1/"})", "invalid_schema", "schema.$ref"},
      {R"({"$ref":"#/$defs/a"})", "invalid_schema", "schema.$ref"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}})", "invalid_schema", "schema.$ref"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "invalid_schema", "schema"},
      {R"({"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]})", "invalid_schema", "schema"},
      {R"({"allOf":[{"$ref":"#"},{"type":"null"}]})", "invalid_schema", nullptr},
      {R"(false)", "invalid_schema", "schema"},
      {R"(5)", "invalid_schema", "schema"},
      {R"({"type":"object","properties":{"a":false},"required":["a"]})", "invalid_schema", "schema"},
      {R"({"type":"integer","minimum":5,"maximum":4})", "invalid_schema", "schema"},
      {R"({"type":"string","allOf":[{"type":"integer"}]})", "invalid_schema", "schema"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.schema);
    try {
      schema_grammar(parse(c.schema), "schema");
      ADD_FAILURE() << "accepted";
    } catch (const Error& e) {
      EXPECT_EQ(e.code, c.code) << e.what();
      if (c.param != nullptr) {
        EXPECT_EQ(e.param, c.param) << e.what();
      }
      EXPECT_THAT(e.what(), HasSubstr("schema"));
    }
  }
}

TEST(JsonSchema, HostileSchemasEnd) {
  const auto refused = [](const Json& schema) {
    try {
      schema_grammar(schema, "schema");
      return std::string();
    } catch (const Error& e) {
      return e.code == "invalid_schema" ? e.code : e.code + ": " + e.what();
    }
  };
  EXPECT_EQ(refused({{"type", "string"}, {"pattern", std::string(60'000, '(')}}), "invalid_schema");
  EXPECT_EQ(refused({{"type", "string"}, {"pattern", std::string(5'000, '(')}}), "invalid_schema");
  EXPECT_EQ(refused(nested_schema(31)), "");
  EXPECT_EQ(refused(nested_schema(70)), "invalid_schema");
  Json many = Json::array();
  for (int i = 0; i < 100'000; ++i) many.push_back(std::to_string(i));
  EXPECT_EQ(refused({{"enum", many}}), "invalid_schema");
  Json doubling = Json::object();  // each level refers to the next twice, through allOf: 2^30 copies
  for (int i = 0; i < 30; ++i) {
    const Json next{{"$ref", fmt::format("#/$defs/d{}", i + 1)}};
    doubling[fmt::format("d{}", i)] = Json{{"allOf", Json::array({next, next})}};
  }
  doubling["d30"] = Json{{"type", "integer"}};
  EXPECT_EQ(refused({{"allOf", Json::array({Json{{"$ref", "#/$defs/d0"}}})}, {"$defs", doubling}}), "invalid_schema");
  Json wide = Json::object();
  for (int i = 0; i < 400; ++i) wide[fmt::format("p{}", i)] = Json{{"type", "string"}};
  EXPECT_EQ(refused({{"type", "object"}, {"properties", wide}}), "");
  EXPECT_EQ(refused({{"type", "string"}, {"pattern", "^((a{1,100}){1,100}){1,100}$"}}), "");
  EXPECT_NO_THROW(schema_grammar({{"type", "array"}, {"items", nested_schema(3)}, {"maxItems", 10'000}}, "schema"));
}

TEST(JsonSchema, EnumOfThousands) {
  Json many = Json::array();
  for (int i = 0; i < 3'000; ++i) many.push_back(fmt::format("value-{}", i * 7919 % 100'000));
  const auto grammar = with_demo(schema_grammar({{"enum", many}}, "schema"));
  std::mt19937 rng(1);
  for (int i = 0; i < 20; ++i) {
    const Walk walk = random_walk(grammar, rng, 60);
    ASSERT_TRUE(walk.ended);
    EXPECT_NE(std::find(many.begin(), many.end(), Json::parse(walk.text)), many.end()) << walk.text;
  }
}

// Each bound against all numbers around it.
TEST(JsonSchema, NumberRangesAreExact) {
  std::mt19937 rng(5);
  const auto grammar_of = [](GrammarExpr expr) {
    GrammarBuilder builder("test");
    const int rule = builder.add_rule("root");
    builder.define(rule, std::move(expr));
    return with_demo(builder.compile(rule));
  };
  for (int round = 0; round < 60; ++round) {
    const int64_t scale = std::array<int64_t, 3>{20, 150, 3000}[rng() % 3];
    int64_t a = static_cast<int64_t>(rng() % static_cast<uint64_t>(scale)) - scale / 2, b = static_cast<int64_t>(rng() % static_cast<uint64_t>(scale)) - scale / 2;
    if (a > b) std::swap(a, b);
    const auto integers = grammar_of(integer_range(a, b));
    for (int64_t x = -scale; x <= scale; ++x) ASSERT_EQ(matches(integers, std::to_string(x)), a <= x && x <= b) << a << " " << x << " " << b;
    const auto decimals = grammar_of(decimal_range(a * 10'000, b * 10'000));  // hundredths
    for (int64_t x = -scale; x <= scale; ++x) {
      if (x == 0) continue;
      const std::string text = fmt::format("{}{}.{:02}", x < 0 ? "-" : "", std::abs(x) / 100, std::abs(x) % 100);
      ASSERT_EQ(matches(decimals, text), a <= x && x <= b) << a << " " << text << " " << b;
      ASSERT_EQ(matches(decimals, text + "0"), a <= x && x <= b) << a << " " << text << " " << b;
      ASSERT_EQ(matches(decimals, text + "000001"), false);  // eight digits
      const int64_t beyond = x < 0 ? x * 10'000 - 1 : x * 10'000 + 1;
      ASSERT_EQ(matches(decimals, text + "0001"), a * 10'000 <= beyond && beyond <= b * 10'000) << a << " " << text << " " << b;
    }
  }
}

TEST(JsonSchema, ToolCalls) {
  const std::vector<ToolSchema> tools{{"get", parse(R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})"), "tools[0]"},
                                      {"ping", Json(), "tools[1]"}};
  const std::string get = "\xF8\n{\"name\": \"get\", \"arguments\": {\"n\": 5}}\n\xF9", ping = "\xF8\n{\"name\": \"ping\", \"arguments\": {}}\n\xF9";
  const auto one = with_demo(tool_call_grammar(tools, ToolCalls::kOne)), some = with_demo(tool_call_grammar(tools, ToolCalls::kSome)),
             text = with_demo(tool_call_grammar(tools, ToolCalls::kAmongText));
  EXPECT_TRUE(matches(one, get));
  EXPECT_TRUE(matches(one, ping));
  EXPECT_FALSE(may_begin(one, get + "\n"));
  EXPECT_FALSE(may_begin(one, "a"));
  EXPECT_FALSE(may_begin(one, "\xF8\n{\"name\": \"other"));
  EXPECT_TRUE(matches(some, get + "\n" + ping + "\n" + get));
  EXPECT_FALSE(matches(some, ""));
  EXPECT_TRUE(matches(text, "Let me see.\n" + get + " and " + ping));
  EXPECT_TRUE(matches(text, ""));
  EXPECT_FALSE(may_begin(text, "x\xF8 no call"));
}

TEST(JsonSchema, OnlyContinuationsAreForced) {
  const auto grammar = with_demo(schema_grammar(parse(R"({"type":"object","properties":{"temperature":{"enum":["warm","warmer"]}},"required":["temperature"],"additionalProperties":false})"), "schema"));
  GrammarMatcher matcher(grammar);
  EXPECT_EQ(matcher.forced_bytes(100), "{");
  ASSERT_TRUE(matcher.accept("{\""));
  EXPECT_EQ(matcher.forced_bytes(100), "temperature\":");
  EXPECT_EQ(matcher.forced_bytes(4), "temp");
  ASSERT_TRUE(matcher.accept("temperature\": "));
  EXPECT_EQ(matcher.forced_bytes(100), "\"warm");
}

}  // namespace
}  // namespace qvl
