#include "chat/answer_parser.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "tests/chat/tiny_model.h"

namespace qvl {
namespace {

struct Parsed {
  ChatDelta all;
  std::vector<std::string> pieces;       // content of each delta
  std::vector<std::string> call_pieces;  // arguments
  bool stopped = false;
  int64_t reasoning_tokens = 0;
};

Parsed parse_ids(const std::vector<int32_t>& ids, AnswerOptions options) {
  AnswerParser parser(tiny_tokenizer(), std::move(options));
  Parsed out;
  const auto take = [&](const ChatDelta& delta) {
    EXPECT_TRUE(utf8_valid(delta.content));
    EXPECT_TRUE(utf8_valid(delta.reasoning));
    if (!delta.content.empty()) out.pieces.push_back(delta.content);
    for (const AnswerToolCall& call : delta.tool_calls) out.call_pieces.push_back(call.arguments);
    append(out.all, ChatDelta(delta));
  };
  for (const int32_t id : ids) {
    ChatDelta delta;
    TokenEvent token;
    token.id = id;
    token.logprob = -0.25f;
    token.top = {{id, -0.25f}, {65, -1.5f}};
    parser.push(token, delta);
    take(delta);
  }
  ChatDelta delta;
  parser.finish(delta);
  take(delta);
  out.stopped = parser.stopped();
  out.reasoning_tokens = parser.reasoning_tokens();
  return out;
}

Parsed parse(std::string_view text, AnswerOptions options = {}) { return parse_ids(ids_of(text), std::move(options)); }

AnswerOptions thinking() {
  AnswerOptions options;
  options.starts_in_thinking = true;
  return options;
}

AnswerOptions with_tools() {
  AnswerOptions options;
  options.parse_tool_calls = true;
  return options;
}

AnswerOptions with_stop(std::vector<std::string> stop) {
  AnswerOptions options;
  options.stop = std::move(stop);
  return options;
}

TEST(AnswerParser, PlainTextComesUnchanged) {
  for (const std::string text :
       {"Hello, world!", "\n\n two lines \n\n", "", " ", "\xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80 caf\xc3\xa9"}) {
    const Parsed parsed = parse(text);
    EXPECT_EQ(parsed.all.content, text);
    EXPECT_EQ(parsed.all.reasoning, "");
  }
}

// Characters of several byte tokens come whole; a character that is cut off becomes U+FFFD at the end.
TEST(AnswerParser, CharactersAreNeverSplit) {
  const auto ids = ids_of("\xf0\x9f\x98\x80\xf0\x9f\x98\x80");
  ASSERT_GT(ids.size(), 2u);
  for (const std::string& piece : parse_ids(ids, {}).pieces) EXPECT_EQ(piece.size() % 4, 0u);
  const Parsed cut = parse_ids({ids.begin(), ids.end() - 1}, {});
  EXPECT_EQ(cut.all.content, "\xf0\x9f\x98\x80\xef\xbf\xbd");
}

TEST(AnswerParser, ThinkingStartsInside) {
  const Parsed parsed = parse("\nLet me see.\n\nA cat.\n</think>\n\nIt is a cat.\n", thinking());
  EXPECT_EQ(parsed.all.reasoning, "Let me see.\n\nA cat.");
  EXPECT_EQ(parsed.all.content, "It is a cat.\n");
  EXPECT_GT(parsed.reasoning_tokens, 3);
  EXPECT_LT(parsed.reasoning_tokens,
            static_cast<int64_t>(ids_of("\nLet me see.\n\nA cat.\n</think>\n\nIt is a cat.\n").size()));
}

TEST(AnswerParser, ThinkingThatNeverEnds) {
  const Parsed parsed = parse("and on and on\n", thinking());
  EXPECT_EQ(parsed.all.reasoning, "and on and on");
  EXPECT_EQ(parsed.all.content, "");
}

TEST(AnswerParser, ThinkingOfNothing) {
  const Parsed parsed = parse("\n</think>\n\nYes", thinking());
  EXPECT_EQ(parsed.all.reasoning, "");
  EXPECT_EQ(parsed.all.content, "Yes");
}

TEST(AnswerParser, RepeatedOpeningIsDropped) {
  const Parsed parsed = parse("<think>\nhm\n</think>\nYes", thinking());
  EXPECT_EQ(parsed.all.reasoning, "hm");
  EXPECT_EQ(parsed.all.content, "Yes");
}

TEST(AnswerParser, InstructThatBeginsWithThink) {
  const Parsed parsed = parse("\n<think>\nhm\n</think>\n\nYes");
  EXPECT_EQ(parsed.all.reasoning, "hm");
  EXPECT_EQ(parsed.all.content, "Yes");
}

TEST(AnswerParser, MarkersElsewhereAreText) {
  EXPECT_EQ(parse("The tag <think> opens, </think> closes").all.content, "The tag <think> opens, </think> closes");
  EXPECT_EQ(parse("a <tool_call>{}</tool_call>").all.content, "a <tool_call>{}</tool_call>");
  // Spelled in ordinary tokens it is talk about the tag.
  const Parsed spelled = parse_ids(tiny_tokenizer().encode("a </think> b"), thinking());
  EXPECT_EQ(spelled.all.reasoning, "a </think> b");
}

TEST(AnswerParser, SpecialTokensAreDropped) { EXPECT_EQ(parse("a<|im_end|>b<|endoftext|>").all.content, "ab"); }

TEST(AnswerParser, StopStrings) {
  struct Case {
    const char *text, *expected;
    std::vector<std::string> stop;
    bool stopped;
  };
  const Case cases[] = {
      {"one two three", "one ", {"two"}, true},
      {"one two three", "one two three", {"four"}, false},
      {"one two three", "", {"one"}, true},
      {"abcabcabd!", "abcabc", {"abd"}, true},              // a false start inside of a match
      {"ends with par", "ends with par", {"part"}, false},  // held back, then given
      {"a\n\nb", "a", {"\n\n"}, true},
      {"first END second STOP", "first ", {"STOP", "END"}, true},
      {"x\xe7\xbb\x93\xe6\x9d\x9fy", "x", {"\xe7\xbb\x93\xe6\x9d\x9f"}, true},  // Chinese, in byte tokens
      {"x\xe7\xbb\x93y", "x\xe7\xbb\x93y", {"\xe7\xbb\x93\xe6\x9d\x9f"}, false},
      {"\n\nanswer", "", {"\n\n"}, true},
  };
  for (const Case& c : cases) {
    const Parsed parsed = parse(c.text, with_stop(c.stop));
    EXPECT_EQ(parsed.all.content, c.expected) << c.text;
    EXPECT_EQ(parsed.stopped, c.stopped) << c.text;
  }
}

// No delta may show a part of what a later token makes a stop string.
TEST(AnswerParser, StopStringAcrossTokensIsHeldBack) {
  const std::string text = "Some words STOPPING here";
  const std::vector<int32_t> ids = tiny_tokenizer().encode(text);
  for (size_t length = 1; length < text.size(); ++length) {
    for (size_t begin = 0; begin + length <= text.size(); ++begin) {
      const std::string stop = text.substr(begin, length);
      EXPECT_EQ(parse_ids(ids, with_stop({stop})).all.content, text.substr(0, text.find(stop))) << stop;
    }
  }
}

TEST(AnswerParser, StopStringsLeaveReasoningAlone) {
  AnswerOptions options = with_stop({"cat"});
  options.starts_in_thinking = true;
  const Parsed parsed = parse("a cat\n</think>\n\nIt is a cat.", options);
  EXPECT_EQ(parsed.all.reasoning, "a cat");
  EXPECT_EQ(parsed.all.content, "It is a ");
}

TEST(AnswerParser, ToolCalls) {
  const Parsed parsed = parse(
      "I look it up.\n<tool_call>\n{\"name\": \"find\", \"arguments\": {\"q\": \"caf\xc3\xa9\", \"n\": 2, \"x\": "
      "400.0}}\n</tool_call>\n"
      "<tool_call>\n{\"name\": \"zoom\", \"arguments\": \"{\\\"a\\\":1}\"}\n</tool_call>",
      with_tools());
  EXPECT_EQ(parsed.all.content, "I look it up.");
  ASSERT_EQ(parsed.all.tool_calls.size(), 2u);
  EXPECT_EQ(parsed.all.tool_calls[0].name, "find");
  EXPECT_EQ(parsed.all.tool_calls[0].arguments, "{\"q\": \"caf\xc3\xa9\", \"n\": 2, \"x\": 400.0}");
  EXPECT_EQ(parsed.all.tool_calls[1].name, "zoom");
  EXPECT_EQ(parsed.all.tool_calls[1].arguments, "{\"a\":1}");
  EXPECT_NE(parsed.all.tool_calls[0].id, parsed.all.tool_calls[1].id);
}

TEST(AnswerParser, ToolCallAfterThinking) {
  AnswerOptions options = with_tools();
  options.starts_in_thinking = true;
  const Parsed parsed = parse("hm\n</think>\n\n<tool_call>\n{\"name\": \"f\"}\n</tool_call>", options);
  EXPECT_EQ(parsed.all.reasoning, "hm");
  EXPECT_EQ(parsed.all.content, "");
  ASSERT_EQ(parsed.all.tool_calls.size(), 1u);
  EXPECT_EQ(parsed.all.tool_calls[0].arguments, "{}");
}

TEST(AnswerParser, BrokenToolCallsStayText) {
  for (const std::string inner :
       {"not json", "{\"name\": 5}", "{\"name\": \"f\", \"arguments\": [1]}", "[1]", "", "{\"name\": \"\"}"}) {
    const std::string text = "<tool_call>" + inner + "</tool_call>";
    const Parsed parsed = parse(text + " after", with_tools());
    EXPECT_EQ(parsed.all.content, text + " after");
    EXPECT_TRUE(parsed.all.tool_calls.empty());
  }
}

AnswerOptions with_streamed_tools() {
  AnswerOptions options = with_tools();
  options.stream_tool_calls = true;
  return options;
}

TEST(AnswerParser, ArgumentsInPieces) {
  const std::string arguments = "{\"q\": \"caf\xc3\xa9 {\\\"} \\\\\", \"n\": [1, {\"m\": 2}], \"x\": 400.0}";
  const Parsed parsed =
      parse("Look.\n<tool_call>\n{\"name\": \"find\", \"arguments\": " + arguments + "}\n</tool_call>\n",
            with_streamed_tools());
  EXPECT_EQ(parsed.all.content, "Look.");
  ASSERT_EQ(parsed.all.tool_calls.size(), 1u);
  EXPECT_EQ(parsed.all.tool_calls[0].name, "find");
  EXPECT_EQ(parsed.all.tool_calls[0].arguments, arguments);
  EXPECT_GT(parsed.call_pieces.size(), 5u);
  EXPECT_EQ(parsed.call_pieces[0], "");
}

TEST(AnswerParser, CallsThatCannotStreamComeWhole) {
  // A string with JSON, another order, no arguments.
  for (const auto& [inner, arguments] : std::vector<std::pair<std::string, std::string>>{
           {"{\"name\": \"f\", \"arguments\": \"{\\\"a\\\":1}\"}", "{\"a\":1}"},
           {"{\"arguments\": {\"a\": 1}, \"name\": \"f\"}", "{\"a\": 1}"},
           {"{\"name\": \"f\"}", "{}"}}) {
    const Parsed parsed = parse("<tool_call>" + inner + "</tool_call>", with_streamed_tools());
    ASSERT_EQ(parsed.all.tool_calls.size(), 1u) << inner;
    EXPECT_EQ(parsed.all.tool_calls[0].arguments, arguments);
  }
}

TEST(AnswerParser, BrokenHeadsStayTextInPiecesToo) {
  for (const std::string inner : {"not json", "{\"name\": 5, \"arguments\": {}}", "{\"name\": \"\", \"arguments\": {}",
                                  "{\"name\": \"f\", \"argu", ""}) {
    const std::string text = "<tool_call>" + inner + "</tool_call>";
    const Parsed parsed = parse(text, with_streamed_tools());
    EXPECT_EQ(parsed.all.content, text);
    EXPECT_TRUE(parsed.all.tool_calls.empty());
  }
}

TEST(AnswerParser, ArgumentsThatAreCutOffWereGivenAsFarAsTheyCame) {
  const Parsed parsed = parse("<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"long", with_streamed_tools());
  ASSERT_EQ(parsed.all.tool_calls.size(), 1u);
  EXPECT_EQ(parsed.all.tool_calls[0].arguments, "{\"a\": \"long");
}

TEST(AnswerParser, SingleCallEndsTheAnswer) {
  for (AnswerOptions options : {with_tools(), with_streamed_tools()}) {
    options.single_tool_call = true;
    const std::string call = "<tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
    const Parsed parsed = parse(call + call + " more", options);
    EXPECT_EQ(parsed.all.tool_calls.size(), 1u);
    EXPECT_EQ(parsed.all.content, "");
    EXPECT_TRUE(parsed.stopped);
  }
}

TEST(AnswerParser, PlainKnowsNoMarkers) {
  AnswerOptions options = with_tools();
  options.plain = true;
  const std::string text = "\n<think>a</think> <tool_call>{}</tool_call>";
  EXPECT_EQ(parse(text, options).all.content, text);
}

TEST(AnswerParser, UnclosedToolCall) {
  const Parsed whole = parse("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n", with_tools());
  EXPECT_EQ(whole.all.tool_calls.size(), 1u);
  const Parsed cut = parse("<tool_call>\n{\"name\": \"f\", \"argu", with_tools());
  EXPECT_EQ(cut.all.content, "<tool_call>\n{\"name\": \"f\", \"argu");
}

TEST(AnswerParser, NewlinesWithoutToolCallAreKept) {
  EXPECT_EQ(parse("a\n\n", with_tools()).all.content, "a\n\n");
  EXPECT_EQ(parse("a\n\nb", with_tools()).all.content, "a\n\nb");
}

TEST(AnswerParser, LogprobsOfTheAnswerOnly) {
  AnswerOptions options = thinking();
  options.logprobs = true;
  const std::string answer = "It is \xf0\x9f\x98\x80";
  const Parsed parsed = parse("hm\n</think>" + answer, options);
  ASSERT_EQ(parsed.all.logprobs.size(), ids_of(answer).size());
  std::string bytes;
  for (const LogprobEntry& entry : parsed.all.logprobs) bytes += entry.bytes;
  EXPECT_EQ(bytes, answer);
  EXPECT_EQ(parsed.all.logprobs[0].logprob, -0.25f);
  ASSERT_EQ(parsed.all.logprobs[0].top.size(), 2u);
  EXPECT_EQ(parsed.all.logprobs[0].top[1].second, -1.5f);
}

}  // namespace
}  // namespace qvl
