#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/grammar/grammar_test_tools.h"

namespace qvl {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::string& text) {
  try {
    parse_gbnf(text);
  } catch (const Error& e) {
    EXPECT_EQ(e.code, "invalid_grammar");
    EXPECT_EQ(e.kind, ErrorKind::kInvalidRequest);
    return e.what();
  }
  return "no error";
}

struct GbnfCase {
  const char* grammar;
  std::vector<std::string> good, bad;
};

TEST(Gbnf, MatchesWhatItSays) {
  const GbnfCase cases[] = {
      {R"(root ::= "yes" | "no")", {"yes", "no"}, {"", "y", "yesno", "Yes"}},
      {"# a comment\nroot ::= a b? # another\na ::= [a-c]+\nb ::= \"-\" [0-9]{2,3}\n", {"a", "abc", "b-12", "c-123"}, {"", "d", "a-1", "a-1234", "-12"}},
      {R"(root ::= "a"*)", {"", "a", "aaaa"}, {"b", "ab"}},
      {R"(root ::= ("a"*)*)", {"", "a", "aaaaaaaa"}, {"b"}},
      {R"(root ::= (("a" | "b"?)+ "c")*)", {"", "c", "ac", "abbac", "ccc"}, {"a", "ab"}},
      {R"(root ::= "x"{3})", {"xxx"}, {"xx", "xxxx"}},
      {R"(root ::= "x"{2,})", {"xx", "xxxxx"}, {"x", ""}},
      {R"(root ::= "x"{0,2} "y")", {"y", "xy", "xxy"}, {"xxxy"}},
      {R"(root ::= "x"{0} "y")", {"y"}, {"xy"}},
      {R"(root ::= ("a"?){3,5} "b")", {"b", "ab", "aaaaab"}, {"aaaaaab"}},
      {R"(root ::= [^a-z\n])", {"A", "é", "日", "\xF0\x9F\x98\x80", "\""}, {"a", "\n", "AB", "\xC3", ""}},
      {R"(root ::= .)", {"a", "é", "\n", "\xF4\x8F\xBF\xBF"}, {"", "ab", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC0\x80"}},
      {R"(root ::= "\x41\u00E9\U0001F600\t\\\"" [\]\-^])", {"Aé\xF0\x9F\x98\x80\t\\\"]", "Aé\xF0\x9F\x98\x80\t\\\"-"}, {"A"}},
      {R"(root ::= [à-ü]{2})", {"éü", "àà"}, {"é", "ee", "éa"}},
      {R"(root ::= [一-龥]+)", {"日本", "一", "龥"}, {"ア", "a"}},
      {"root ::= list\nlist ::= \"[\" (list (\",\" list)*)? \"]\"", {"[]", "[[],[[]]]"}, {"[", "[,]", "[][]"}},
      {"root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"a\"", {"a", "aab", "aac", "aaabc", "aaaabcb"}, {"aa", "aabc", "b"}},
      {"root ::= s\ns ::= \"a\" s \"a\" | \"b\"", {"b", "aba", "aabaa"}, {"ab", "aab"}},
      {"root ::= e\ne ::= t (\"+\" t)*\nt ::= [0-9] | \"(\" e \")\"", {"1", "1+2", "((1)+2)+3"}, {"1+", "(1", "1)"}},
      {"root ::=\n  \"a\"\n", {"a"}, {"b"}},
      {"root ::= \"a\" |\n \"b\"\nx ::= \"c\"", {"a", "b"}, {"c"}},
      {"root ::= (\n\"a\"\n|\n\"b\"\n)\n", {"a", "b"}, {"ab"}},
      {"root ::= \"\" | \"a\"", {"", "a"}, {"aa"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.grammar);
    const auto grammar = with_demo(parse_gbnf(c.grammar));
    for (const auto& text : c.good) EXPECT_TRUE(matches(grammar, text)) << text;
    for (const auto& text : c.bad) EXPECT_FALSE(matches(grammar, text)) << text;
  }
}

TEST(Gbnf, SaysWhereItIsWrong) {
  EXPECT_THAT(error_of(""), HasSubstr("root"));
  EXPECT_THAT(error_of("a ::= \"x\""), HasSubstr("root"));
  EXPECT_THAT(error_of("root ::= missing"), HasSubstr("\"missing\" is not defined"));
  EXPECT_THAT(error_of("root ::= \"a"), HasSubstr("line 1, column 12"));
  EXPECT_THAT(error_of("root ::= \"a\"\nroot ::= \"b\""), HasSubstr("line 2, column 5: the rule \"root\" stands twice"));
  EXPECT_THAT(error_of("root := \"a\""), HasSubstr("expected ::="));
  EXPECT_THAT(error_of("root ::= (\"a\""), HasSubstr("expected \")\""));
  EXPECT_THAT(error_of("root ::= \"a\")"), HasSubstr("expected the end of the rule"));
  EXPECT_THAT(error_of("root ::= [z-a]"), HasSubstr("ascends"));
  EXPECT_THAT(error_of("root ::= []"), HasSubstr("no characters"));
  EXPECT_THAT(error_of("root ::= [a"), HasSubstr("expected the end of the class"));
  EXPECT_THAT(error_of("root ::= \"\\q\""), HasSubstr("escape"));
  EXPECT_THAT(error_of("root ::= \"\\uD800\""), HasSubstr("Unicode"));
  EXPECT_THAT(error_of("root ::= \"\\u12\""), HasSubstr("hexadecimal"));
  EXPECT_THAT(error_of("root ::= \"a\"{3,2}"), HasSubstr("ascends"));
  EXPECT_THAT(error_of("root ::= \"a\"{1,1000000}"), HasSubstr("at most 10000"));
  EXPECT_THAT(error_of("root ::= \"a\"{99999999999999999999}"), HasSubstr("at most 10000"));
  EXPECT_THAT(error_of("root ::= \"a\xFF\""), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of("root ::= root \"a\" | \"b\""), HasSubstr("left recursion"));
  EXPECT_THAT(error_of("root ::= a\na ::= b? c\nb ::= \"x\"\nc ::= a \"y\" | \"z\""), HasSubstr("left recursion"));
  EXPECT_THAT(error_of("root ::= \"a\" root"), HasSubstr("can never end"));
  EXPECT_THAT(error_of("root ::= \"a\"*****"), HasSubstr("repetitions"));
}

TEST(Gbnf, HostileTextsAreRefusedOrCompiled) {
  EXPECT_THAT(error_of("root ::= " + std::string(60'000, '(')), HasSubstr("groups at most"));
  EXPECT_THAT(error_of("root ::= \"" + std::string(70'000, 'a') + "\""), HasSubstr("at most 65536 bytes"));
  std::string chain = "root ::= r0\n";
  for (int i = 0; i < 4000; ++i) chain += fmt::format("r{}::=r{}\n", i, i + 1);
  EXPECT_THAT(error_of(chain), HasSubstr("is not defined"));
  EXPECT_THAT(error_of(chain + "r4000::=\"a\""), HasSubstr("in each other"));
  EXPECT_THAT(error_of("root ::= (((\"abcdefgh\"{10000}){10000} \"abcdefgi\"{10000}){10000} \"abcdefgi\"{10000}) "
                       "a a a a a a a a a a a a a\na ::= b b b b b b b b b b b\nb ::= ([^x]\"bc\"){10000} (\"abd\"){10000}"
                       "(\"abe\"){10000} (\"abf\"){10000} (\"abg\"){10000} (\"abh\"){10000} (\"abi\"){10000} (\"abj\"){10000}"
                       "(\"abk\"){10000} (\"abl\"){10000} (\"abm\"){10000} (\"abn\"){10000} (\"abo\"){10000} (\"abp\"){10000}"
                       "(\"abq\"){10000} (\"abr\"){10000} (\"abs\"){10000} (\"abt\"){10000} (\"abu\"){10000} (\"abv\"){10000}"),
              HasSubstr("too large"));
  // Large, and no trouble.
  const auto nested = with_demo(parse_gbnf(R"(root ::= ((("a"?){10000}){10000}){10000} "b")"));
  EXPECT_TRUE(matches(nested, "aaaaab"));
  EXPECT_FALSE(matches(nested, "aaaaac"));
  const auto counted = with_demo(parse_gbnf(R"(root ::= [a-z]{3,10000} "!")"));
  EXPECT_TRUE(matches(counted, std::string(10000, 'a') + "!"));
  EXPECT_FALSE(matches(counted, std::string(10001, 'a') + "!"));
  EXPECT_FALSE(matches(counted, "aa!"));
  const auto deep = with_demo(parse_gbnf("root ::= \"(\" root \")\" | \"x\""));
  EXPECT_TRUE(matches(deep, std::string(60'000, '(') + "x" + std::string(60'000, ')')));
  EXPECT_FALSE(matches(deep, std::string(1000, '(') + "x" + std::string(1001, ')')));
}

// Grammars with more readings than anybody could count, over long texts.
TEST(Gbnf, AmbiguityCostsLittle) {
  const std::pair<const char*, const char*> cases[] = {
      {"root ::= s\ns ::= \"a\" s s | \"a\"", "a"},
      {"root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"c\" | \"a\" s s | \"a\"", "a"},
      {"root ::= s\ns ::= \"a\" (s | t) | \"a\"\nt ::= \"a\" (s | t) \"a\"? | \"a\"", "a"},
      {"root ::= (\"a\" | \"aa\" | \"aaa\" | a)*\na ::= (\"a\"+ \"a\"*)+", "a"},
  };
  for (const auto& [text, unit] : cases) {
    SCOPED_TRACE(text);
    GrammarMatcher matcher(with_demo(parse_gbnf(text)));
    bool fits = true;
    try {
      for (int i = 0; i < 300; ++i) {
        fits = fits && matcher.accept(unit);
        if (i % 50 == 0) {
          EXPECT_FALSE(allowed_ids(matcher).empty());
        }
      }
      EXPECT_TRUE(fits);
    } catch (const Error& e) {
      EXPECT_EQ(e.code, "grammar_too_complex");
    }
  }
}

}  // namespace
}  // namespace qvl
