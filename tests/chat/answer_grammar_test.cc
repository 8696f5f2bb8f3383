// Grammars, the engine and a model together: whatever the model wants, the answer has its form.
#include "chat/answer_grammar.h"

#include <gtest/gtest.h>

#include "engine/local_engine.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "tests/chat/tiny_model.h"
#include "tests/engine/answers.h"
#include "tests/grammar/small_validator.h"

namespace qvl {
namespace {

Json parse(const std::string& text) { return parse_json(text, "test", ErrorKind::kInternal, "test"); }

const char* const kSchemas[] = {
    R"({"type":"object","properties":{"shape":{"enum":["circle","square"]},"label":{"type":"string","maxLength":12},"box":{"type":"array",
       "items":{"type":"integer","minimum":0,"maximum":1000},"minItems":4,"maxItems":4},"sure":{"type":"boolean"}},
       "required":["shape","label","box","sure"],"additionalProperties":false})",
    R"({"type":"array","items":{"type":"object","properties":{"n":{"type":"number","minimum":0,"maximum":1},"kind":{"type":["null","boolean"]}},
       "required":["n"],"additionalProperties":false},"maxItems":3})",
    R"({"anyOf":[{"type":"string","pattern":"^[a-c]{1,4}(-[0-9]{2})?$"},{"type":"string","format":"date"},{"const":{"a":[1,null]}}]})",
};

class AnswerGrammar : public ::testing::Test {
 protected:
  static std::unique_ptr<Engine> engine(Speculate speculate) {
    static TinyCheckpoint plain = load_tiny("tiny-untied"), other = load_tiny("tiny-untied");  // one engine for a model at a time
    return make_local_engine(*(speculate == Speculate::kOff ? plain : other).model, {.context_tokens = 1024, .max_sequences = 4, .prefill_chunk = 64, .stop_token_ids = {added_id("<|im_end|>")},
                                           .valid_tokens = tiny_tokenizer().size(), .speculate = speculate});
  }
  static Prompt prompt(const std::string& text) {
    MadePrompt made;
    made.ids = tiny_tokenizer().encode(text);
    auto positions = rope_positions(made.size(), {});
    return {made.ids, positions.ids, positions.rope_delta, {}};
  }
  static std::string text_of(const Answer& answer) { return tiny_tokenizer().decode(answer.ids, false); }
};

TEST_F(AnswerGrammar, EveryAnswerIsValid) {
  GrammarStore store(tiny_tokenizer());
  const auto plain = engine(Speculate::kOff), guessing = engine(Speculate::kAlways);
  int complete = 0;
  for (const char* text : kSchemas) {
    const Json schema = parse(text);
    const SmallValidator validator(schema);
    const auto grammar = store.get(text, [&] { return schema_grammar(schema, "schema"); });
    for (uint64_t seed = 0; seed < 6; ++seed) {
      SamplingParams params{.temperature = seed == 0 ? 0.0f : 1.5f, .seed = seed, .max_tokens = 300};
      params.constraint = constraint_factory(tiny_tokenizer(), grammar);
      std::vector<std::unique_ptr<TokenStream>> streams;
      for (int i = 0; i < 3; ++i) streams.push_back(guessing->submit(prompt("Some text"), params));  // in company
      const Answer want = read_all(*plain->submit(prompt("Some text"), params));
      for (const auto& stream : streams) EXPECT_EQ(read_all(*stream).ids, want.ids);
      ASSERT_NE(want.end.finish, FinishReason::kError) << want.end.error_message;
      if (want.end.finish != FinishReason::kStop) continue;
      ++complete;
      Json value;
      ASSERT_NO_THROW(value = Json::parse(text_of(want))) << text_of(want);
      EXPECT_TRUE(validator.valid(value)) << text_of(want);
    }
  }
  EXPECT_GE(complete, 12);
}

TEST_F(AnswerGrammar, ToolCallsAreMadeOfTheirTokens) {
  GrammarStore store(tiny_tokenizer());
  const auto e = engine(Speculate::kAlways);
  SamplingParams params{.temperature = 1.5f, .seed = 4, .max_tokens = 200};
  const std::vector<ToolSchema> tools{{"get", parse(R"({"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9}},"required":["n"]})"), "t"}};
  params.constraint = constraint_factory(tiny_tokenizer(), store.get("t", [&] { return tool_call_grammar(tools, ToolCalls::kOne); }));
  const Answer answer = read_all(*e->submit(prompt("Call it"), params));
  ASSERT_GE(answer.ids.size(), 3u);
  EXPECT_EQ(answer.ids.front(), added_id("<tool_call>"));
  EXPECT_EQ(answer.ids.back(), added_id("</tool_call>"));
  EXPECT_EQ(answer.end.finish, FinishReason::kStop);
  EXPECT_GT(answer.end.stats.accepted_tokens, 0);
}

TEST(GrammarStore, KeepsFewAndCompilesOnce) {
  GrammarStore store(tiny_tokenizer());
  int compiled = 0;
  const auto get = [&](const std::string& text) {
    return store.get(text, [&] {
      ++compiled;
      return parse_gbnf(text);
    });
  };
  const auto first = get("root ::= \"a\"");
  EXPECT_EQ(get("root ::= \"a\""), first);
  EXPECT_EQ(compiled, 1);
  EXPECT_THROW(get("root ::= x"), Error);
  EXPECT_EQ(store.entries(), 1u);
  for (int i = 0; i < 200; ++i) get(fmt::format("root ::= \"a\"{{{}}}", i + 1));
  EXPECT_LE(store.entries(), GrammarStore::kMaxEntries);
  EXPECT_NE(get("root ::= \"a\""), first);  // forgotten; who holds it may go on with it
  for (int i = 0; i < 16; ++i) get(fmt::format("root ::= [a-z{}]{{10000}} [a-z]{{9000}} [b-z]{{9000}} [c-z]{{9000}}", i));  // a megabyte each
  EXPECT_LT(store.entries(), 14u);
}

}  // namespace
}  // namespace qvl
