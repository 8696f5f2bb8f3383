#include "grammar/matcher.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tests/grammar/grammar_test_tools.h"

namespace qvl {
namespace {

const char* const kGrammars[] = {
    R"(root ::= "yes" | "no" | "yes, and " [a-z]+)",
    R"(root ::= ([^"\\] | "\\" ["\\nt])* "\"")",
    "root ::= object\nobject ::= \"{\" (pair (\", \" pair)*)? \"}\"\npair ::= \"\\\"\" [a-z]* \"\\\": \" value\n"
    "value ::= object | \"\\\"\" [^\"]* \"\\\"\" | [0-9]+ | \"[\" (value (\", \" value)*)? \"]\" | \"true\" | \"null\"",
    R"(root ::= [a-z ]{5,40})",
    R"(root ::= "\"" ([^"\\] | "\\" ["\\nt]){12,30} "\"" [a-z]*)",
    R"(root ::= ("[" [a-z ]{0,20} "]"){20} " end")",
    "root ::= s{9,60} \"x\"?\ns ::= [^x] | \"x\" [0-9]",
    R"(root ::= ("ab" | "c" [d-z]?){30,} ".")",
    R"(root ::= . . . "é"* [一-龥]*)",
    "root ::= s\ns ::= \"(\" s \")\" | \"(\" s \"]\" | \" a\" | \"the \" s",
    "root ::= (a | b | c | d | e | f | g | h)+\na ::= \"a\"+\nb ::= [a-c]+\nc ::= [a-d]+ \"x\"?\nd ::= [a-e]+ \"y\"\ne ::= \"ab\"\n"
    "f ::= \"abc\" \"d\"?\ng ::= [b-z] [a-z] [a-z]\nh ::= \"a\" \"b\"* \"c\"*",
};

// Each token tried by itself must say the same as the mask.
TEST(Matcher, MaskIsWhatTheTokensSay) {
  std::mt19937 rng(7);
  int places = 0;
  for (const char* text : kGrammars) {
    const auto grammar = with_demo(parse_gbnf(text));
    for (int round = 0; round < 6; ++round) {
      GrammarMatcher matcher(grammar);
      for (int step = 0; step < 16 && !matcher.ended(); ++step) {
        const auto ids = allowed_ids(matcher);
        std::vector<int32_t> want;
        for (int32_t id = 0; id < demo_trie()->tokens(); ++id) {
          const auto bytes = demo_trie()->bytes(id);
          if (!bytes.empty() && matcher.allows(bytes)) want.push_back(id);
        }
        ASSERT_EQ(ids, want) << text;
        ++places;
        ASSERT_FALSE(ids.empty());
        ASSERT_TRUE(matcher.accept_token(ids[rng() % ids.size()]));
      }
    }
  }
  EXPECT_GT(places, 150);
}

}  // namespace
}  // namespace qvl
