// response_format, guided_json, grammar and tool_choice over HTTP: what the engine is held to.
#include <gtest/gtest.h>

#include "tests/serve/events.h"

namespace qvl {
namespace {

// Follows text through the constraint that the request gave the engine; false where it is not allowed, or cannot end there.
bool allows(const FakeEngine& engine, std::string_view text) {
  const SamplingParams params = engine.last_params();
  if (!params.constraint) return false;
  const auto constraint = params.constraint();
  for (const int32_t id : ids_of(text)) {
    std::vector<uint64_t> words(constraint->words());
    constraint->fill_mask(words);
    if ((words[static_cast<size_t>(id) / 64] >> (id % 64) & 1) == 0) return false;
    constraint->accept(id);
  }
  return constraint->can_end();
}

const std::string kSchema = R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false})";
const std::string kTools = R"("tools":[{"type":"function","function":{"name":"get","parameters":)" + kSchema +
                           R"(}},{"type":"function","function":{"name":"put"}}])";
const std::string kGet = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"n\": 5}}\n</tool_call>",
                  kPut = "<tool_call>\n{\"name\": \"put\", \"arguments\": {}}\n</tool_call>";

void ask_for(TestServer& server, const std::string& fields) {
  const Reply reply = server.chat(ask("{" + fields + "}").dump());
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST(AnswerGrammar, ResponseFormat) {
  TestServer server;
  ask_for(server, R"("response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":)" + kSchema + "}}");
  EXPECT_TRUE(allows(server.engine, R"({"n": 12})"));
  EXPECT_TRUE(allows(server.engine, R"({"n":12})"));  // a fresh one each time
  EXPECT_FALSE(allows(server.engine, R"({"n": "12"})"));
  EXPECT_FALSE(allows(server.engine, R"({"n": 12)"));
  ask_for(server, R"("response_format":{"type":"json_object"})");
  EXPECT_TRUE(allows(server.engine, R"({"anything": [1, {"goes": null}]})"));
  EXPECT_FALSE(allows(server.engine, "[1]"));
  ask_for(server, R"("response_format":{"type":"text"})");
  EXPECT_FALSE(server.engine.last_params().constraint);
}

TEST(AnswerGrammar, OlderNames) {
  TestServer server;
  ask_for(server, R"("guided_json":)" + kSchema);
  EXPECT_TRUE(allows(server.engine, R"({"n": 1})"));
  ask_for(server, R"("guided_json":)" + Json(kSchema).dump());
  EXPECT_TRUE(allows(server.engine, R"({"n": 1})"));
  ask_for(server, R"("grammar":"root ::= \"yes\" | \"no\"")");
  EXPECT_TRUE(allows(server.engine, "yes"));
  EXPECT_FALSE(allows(server.engine, "maybe"));
}

TEST(AnswerGrammar, ToolChoice) {
  TestServer server;
  ask_for(server, kTools + R"(,"tool_choice":"required")");
  EXPECT_TRUE(allows(server.engine, kGet));
  EXPECT_TRUE(allows(server.engine, kPut + "\n" + kGet));
  EXPECT_FALSE(allows(server.engine, "Hello"));
  EXPECT_FALSE(allows(server.engine, ""));
  ask_for(server, kTools + R"(,"tool_choice":"required","parallel_tool_calls":false)");
  EXPECT_TRUE(allows(server.engine, kPut));
  EXPECT_FALSE(allows(server.engine, kPut + "\n" + kGet));
  ask_for(server, kTools + R"(,"tool_choice":{"type":"function","function":{"name":"get"}})");
  EXPECT_TRUE(allows(server.engine, kGet));
  EXPECT_FALSE(allows(server.engine, kPut));
  ask_for(server, kTools + R"(,"tool_choice":"none")");
  EXPECT_FALSE(server.engine.last_params().constraint);
  ask_for(server, kTools);
  EXPECT_FALSE(server.engine.last_params().constraint);
}

TEST(AnswerGrammar, ForcedCallsComeAsCalls) {
  TestServer server;
  server.engine.set_script({.ids = ids_of(kGet)});
  const Json json = Json::parse(server.chat(ask("{" + kTools + R"(,"tool_choice":"required"})").dump()).body);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(json["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "get");
  EXPECT_EQ(Json::parse(json["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"].get<std::string>())["n"], 5);
}

TEST(AnswerGrammar, StrictToolsHoldTheirCallsAndNothingElse) {
  TestServer server;
  ask_for(server, R"("tools":[{"type":"function","function":{"name":"get","strict":true,"parameters":)" + kSchema +
                      R"(}},{"type":"function","function":{"name":"put","parameters":{"not":{}}}}])");
  EXPECT_TRUE(allows(server.engine, "Just text, with é and <tags>."));
  EXPECT_TRUE(allows(server.engine, ""));
  EXPECT_TRUE(allows(server.engine, "I look.\n" + kGet));
  EXPECT_TRUE(allows(server.engine, "<tool_call>\n{\"name\": \"put\", \"arguments\": {\"any\": [1]}}\n</tool_call>"));
  EXPECT_FALSE(allows(server.engine, "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"m\": 5}}\n</tool_call>"));
  EXPECT_FALSE(allows(server.engine, "<tool_call>\n{\"name\": \"other\", \"arguments\": {}}\n</tool_call>"));
}

TEST(AnswerGrammar, RefusalsNameTheirPlace) {
  TestServer server;
  const auto param = [&](const std::string& fields) {
    const Reply reply = server.chat(ask("{" + fields + "}").dump());
    EXPECT_EQ(reply.status, 400) << reply.body;
    return Json::parse(reply.body)["error"]["param"].get<std::string>();
  };
  EXPECT_EQ(param(R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"properties":{"a":{"not":{}}}}}})"),
            "response_format.json_schema.schema.properties.a.not");
  EXPECT_EQ(param(R"("guided_json":{"type":"string","format":"duration"})"), "guided_json.format");
  EXPECT_EQ(param(R"("grammar":"root ::= (")"), "grammar");
  EXPECT_EQ(param(R"("tools":[{"type":"function","function":{"name":"get","strict":true,"parameters":{"not":{}}}}])"), "tools[0].function.parameters.not");
  EXPECT_EQ(param(R"("grammar":"root ::= [a]","response_format":{"type":"json_object"})"), "grammar");
  EXPECT_EQ(server.engine.submitted(), 0);
}

}  // namespace
}  // namespace qvl
