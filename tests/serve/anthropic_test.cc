// Anthropic's interface: what requests mean, whole and streamed answers, errors in its own form.
#include <gtest/gtest.h>

#include "tests/serve/events.h"

namespace qvl {
namespace {

const std::string kCall = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";
const std::string kTools = R"("tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}])";

std::string body_of(std::string_view fields) {
  Json json = {
      {"model", "demo"}, {"max_tokens", 50}, {"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}};
  json.update(Json::parse(fields));
  return json.dump();
}

Reply messages(TestServer& server, std::string_view fields) {
  return server.request(server.post("/v1/messages", body_of(fields), "anthropic-version: 2023-06-01\r\n"));
}

std::string prompt_of(TestServer& server) {
  return tiny_tokenizer().decode(server.engine.last_prompt().token_ids, false);
}

// "message_start content_block_start ..." without repetitions.
std::string order_of(const std::vector<Json>& events) {
  std::string order;
  for (const Json& event : events) {
    const auto type = event["type"].get<std::string>();
    if (!order.ends_with(type)) order += (order.empty() ? "" : " ") + type;
  }
  return order;
}

TEST(Anthropic, WholeAnswer) {
  TestServer server;
  const Reply reply = messages(server, "{}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::parse(reply.body);
  EXPECT_TRUE(json["id"].get<std::string>().starts_with("msg_"));
  EXPECT_EQ(json["type"], "message");
  EXPECT_EQ(json["role"], "assistant");
  EXPECT_EQ(json["model"], "demo");
  EXPECT_EQ(json["content"], Json::parse(R"([{"type":"text","text":"A red circle."}])"));
  EXPECT_EQ(json["stop_reason"], "end_turn");
  EXPECT_TRUE(json["stop_sequence"].is_null());
  EXPECT_EQ(json["usage"]["input_tokens"], server.engine.last_prompt().token_ids.size());
  EXPECT_EQ(json["usage"]["output_tokens"], ids_of("A red circle.").size());
  EXPECT_EQ(json["usage"]["cache_read_input_tokens"], 0);
}

TEST(Anthropic, StreamedAnswer) {
  TestServer server;
  const Reply reply = messages(server, R"({"stream":true})");
  EXPECT_TRUE(reply.has_header("Content-Type: text/event-stream"));
  const auto events = events_of(reply.body);
  EXPECT_EQ(order_of(events),
            "message_start ping content_block_start content_block_delta content_block_stop message_delta message_stop");
  // Each event's name is its type.
  for (const Json& event : events) {
    EXPECT_NE(reply.body.find("event: " + event["type"].get<std::string>() + "\ndata: {\"type\":"), std::string::npos);
  }
  const Json& start = events.front()["message"];
  EXPECT_EQ(start["usage"]["input_tokens"], server.engine.last_prompt().token_ids.size());
  EXPECT_EQ(start["content"], Json::array());
  EXPECT_TRUE(start["stop_reason"].is_null());
  std::string text;
  for (const Json& event : events) {
    if (event["type"] != "content_block_delta") continue;
    EXPECT_EQ(event["index"], 0);
    EXPECT_EQ(event["delta"]["type"], "text_delta");
    text += event["delta"]["text"].get<std::string>();
  }
  EXPECT_EQ(text, "A red circle.");
  const Json& end = events[events.size() - 2];
  EXPECT_EQ(end["delta"]["stop_reason"], "end_turn");
  EXPECT_EQ(end["usage"]["output_tokens"], ids_of("A red circle.").size());
}

TEST(Anthropic, ThinkingAndToolUse) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("hm\n</think>\n\nYes.\n" + kCall + kCall)});
  const std::string fields =
      R"("model":"demo-thinking","max_tokens":300,"thinking":{"type":"enabled","budget_tokens":20},)" + kTools;
  const Json json = Json::parse(messages(server, "{" + fields + "}").body);
  EXPECT_EQ(server.engine.last_params().thinking->max_thinking_tokens, 20);
  EXPECT_EQ(json["stop_reason"], "tool_use");
  ASSERT_EQ(json["content"].size(), 4u) << json;
  EXPECT_EQ(json["content"][0], Json::parse(R"({"type":"thinking","thinking":"hm","signature":""})"));
  EXPECT_EQ(json["content"][1], Json::parse(R"({"type":"text","text":"Yes."})"));
  EXPECT_EQ(json["content"][2]["type"], "tool_use");
  EXPECT_EQ(json["content"][2]["name"], "f");
  EXPECT_EQ(json["content"][2]["input"], Json::parse(R"({"a":1})"));
  EXPECT_NE(json["content"][2]["id"], json["content"][3]["id"]);

  const auto events = events_of(messages(server, "{\"stream\":true," + fields + "}").body);
  std::vector<std::string> blocks, joined(4);
  for (const Json& event : events) {
    if (event["type"] == "content_block_start") {
      EXPECT_EQ(event["index"], blocks.size());
      blocks.push_back(event["content_block"]["type"]);
    }
    if (event["type"] != "content_block_delta") continue;
    const Json& delta = event["delta"];
    const char* field = delta["type"] == "text_delta"       ? "text"
                        : delta["type"] == "thinking_delta" ? "thinking"
                                                            : "partial_json";
    joined[event["index"].get<size_t>()] += delta[field].get<std::string>();
  }
  EXPECT_EQ(blocks, (std::vector<std::string>{"thinking", "text", "tool_use", "tool_use"}));
  EXPECT_EQ(joined[0], "hm");
  EXPECT_EQ(joined[1], "Yes.");
  EXPECT_EQ(Json::parse(joined[2]), Json::parse(R"({"a":1})"));
  EXPECT_EQ(Json::parse(joined[3]), Json::parse(R"({"a":1})"));
  EXPECT_EQ(events[events.size() - 2]["delta"]["stop_reason"], "tool_use");
}

TEST(Anthropic, StopReasons) {
  TestServer server;
  const Json stopped = Json::parse(messages(server, R"({"stop_sequences":["zzz","circle"]})").body);
  EXPECT_EQ(stopped["content"][0]["text"], "A red ");
  EXPECT_EQ(stopped["stop_reason"], "stop_sequence");
  EXPECT_EQ(stopped["stop_sequence"], "circle");
  const Json cut = Json::parse(messages(server, R"({"max_tokens":1})").body);
  EXPECT_EQ(cut["stop_reason"], "max_tokens");
  EXPECT_TRUE(cut["stop_sequence"].is_null());
}

TEST(Anthropic, FieldsReachTheEngine) {
  TestServer server;
  EXPECT_EQ(messages(server, R"({"max_tokens":33,"temperature":0.5,"top_p":0.25,"top_k":7,"metadata":{"user_id":"u"}})")
                .status,
            200);
  const SamplingParams params = server.engine.last_params();
  EXPECT_EQ(params.max_tokens, 33);
  EXPECT_FLOAT_EQ(params.temperature, 0.5f);
  EXPECT_FLOAT_EQ(params.top_p, 0.25f);
  EXPECT_EQ(params.top_k, 7);
  // Where both kinds of model are served, the switch chooses between them.
  const auto model_of = [&](const char* fields) { return Json::parse(messages(server, fields).body)["model"]; };
  EXPECT_EQ(model_of(R"({"model":"demo-thinking","thinking":{"type":"disabled"}})"), "demo");
  EXPECT_EQ(model_of(R"({"thinking":{"type":"enabled","budget_tokens":10}})"), "demo-thinking");
  EXPECT_EQ(server.engine.last_params().thinking->max_thinking_tokens, 10);
  EXPECT_EQ(model_of(R"({"thinking":{"type":"adaptive"}})"), "demo");
  messages(server, "{\"tool_choice\":{\"type\":\"none\"}," + kTools + "}");
  EXPECT_EQ(prompt_of(server).find("\"name\""), std::string::npos);
}

// The same conversation in OpenAI's form gives the same prompt.
TEST(Anthropic, MessagesMeanWhatOpenAiMeans) {
  TestServer server;
  const std::string png(kPng);
  const std::string picture =
      R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":")" + png + "\"}}";
  ASSERT_EQ(
      messages(server, R"({"system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral"}}],)" + kTools +
                           R"(,"messages":[{"role":"user","content":[)" + picture + R"(,{"type":"text","text":"look"}]},
      {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"x"},{"type":"text","text":"ok"},
        {"type":"tool_use","id":"i1","name":"f","input":{"a":1}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"i1","content":[{"type":"text","text":"r"},)" +
                           picture + R"(]},
        {"type":"text","text":"and?"}]}]})")
          .status,
      200);
  const Prompt ours = server.engine.last_prompt();
  const std::string url = R"({"type":"image_url","image_url":"data:image/png;base64,)" + png + "\"}";
  ASSERT_EQ(
      server
          .chat(
              R"({"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
      "messages":[{"role":"system","content":[{"type":"text","text":"S"}]},
      {"role":"user","content":[)" +
              url + R"(,{"type":"text","text":"look"}]},
      {"role":"assistant","reasoning_content":"t","content":[{"type":"text","text":"ok"}],
        "tool_calls":[{"id":"i1","type":"function","function":{"name":"f","arguments":{"a":1}}}]},
      {"role":"tool","tool_call_id":"i1","content":[{"type":"text","text":"r"},)" +
              url + R"(]},
      {"role":"user","content":[{"type":"text","text":"and?"}]}]})")
          .status,
      200);
  EXPECT_EQ(ours.token_ids, server.engine.last_prompt().token_ids);
  EXPECT_EQ(ours.visuals.size(), 2u);
}

TEST(Anthropic, CountTokens) {
  TestServer server;
  const Reply reply = server.request(server.post(
      "/v1/messages/count_tokens", R"({"model":"demo","system":"s","messages":[{"role":"user","content":"hi"}]})"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(server.engine.submitted(), 0);
  messages(server, R"({"system":"s"})");
  EXPECT_EQ(Json::parse(reply.body), Json({{"input_tokens", server.engine.last_prompt().token_ids.size()}}));
}

TEST(Anthropic, BadRequests) {
  TestServer server;
  std::string blocks, messages_list;
  for (int i = 0; i < 257; ++i) blocks += (i ? "," : "") + std::string(R"({"type":"text","text":"a"})");
  for (int i = 0; i < 4097; ++i) messages_list += (i ? "," : "") + std::string(R"({"role":"user","content":"a"})");
  struct Case {
    std::string fields;
    const char *code, *param;
  };
  const auto user = [](const std::string& block) {
    return R"({"messages":[{"role":"user","content":[)" + block + "]}]}";
  };
  const Case cases[] = {
      {R"({"model":null})", "missing_required", "model"},
      {R"({"model":"claude-opus-4-1"})", "model_not_found", "model"},
      {R"({"model":5})", "invalid_type", "model"},
      {R"({"max_tokens":null})", "missing_required", "max_tokens"},
      {R"({"max_tokens":0})", "invalid_value", "max_tokens"},
      {R"({"max_tokens":"5"})", "invalid_type", "max_tokens"},
      {R"({"temperature":1.5})", "invalid_value", "temperature"},
      {R"({"top_p":0})", "invalid_value", "top_p"},
      {R"({"top_k":-1})", "invalid_value", "top_k"},
      {R"({"stop_sequences":"a"})", "invalid_type", "stop_sequences"},
      {R"({"stop_sequences":[5]})", "invalid_type", "stop_sequences[0]"},
      {R"({"stop_sequences":[""]})", "invalid_value", "stop_sequences[0]"},
      {R"({"stream":"yes"})", "invalid_type", "stream"},
      {R"({"model":"demo-thinking","thinking":{"type":"enabled","budget_tokens":50}})", "invalid_value",
       "thinking.budget_tokens"},
      {R"({"thinking":{"type":"enabled"}})", "missing_required", "thinking.budget_tokens"},
      {R"({"thinking":{"type":"deep"}})", "invalid_value", "thinking.type"},
      {R"({"thinking":true})", "invalid_type", "thinking"},
      {R"({"tools":[{"type":"bash_20250124","name":"bash"}]})", "unsupported", "tools[0].type"},
      {R"({"tools":[{"name":"f"}]})", "missing_required", "tools[0].input_schema"},
      {R"({"tools":[{"input_schema":{}}]})", "missing_required", "tools[0].name"},
      {R"({"tools":[5]})", "invalid_type", "tools[0]"},
      {R"({"tool_choice":{"type":"some"}})", "invalid_value", "tool_choice.type"},
      {R"({"tool_choice":{"type":"tool"}})", "missing_required", "tool_choice.name"},
      {R"({"tool_choice":"auto"})", "invalid_type", "tool_choice"},
      {R"({"tools":[{"name":"f","input_schema":{"type":"nothing"}}],"tool_choice":{"type":"any"}})", "invalid_schema",
       "tools[0].input_schema.type"},
      {R"({"tool_choice":{"type":"any"}})", "invalid_value", "tool_choice"},
      {"{\"tool_choice\":{\"type\":\"tool\",\"name\":\"g\"}," + kTools + "}", "invalid_value", "tool_choice"},
      {R"({"output_config":{"format":{"type":"xml"}}})", "invalid_value", "output_config.format.type"},
      {R"({"output_config":{"format":{"type":"json_schema"}}})", "missing_required", "output_config.format.schema"},
      {R"({"output_config":{"format":{"type":"json_schema","schema":{"type":"nothing"}}}})", "invalid_schema",
       "output_config.format.schema.type"},
      {R"({"mcp_servers":[{}]})", "unsupported", "mcp_servers"},
      {R"({"system":5})", "invalid_type", "system"},
      {R"({"system":[{"type":"image"}]})", "unsupported_content_type", "system[0]"},
      {R"({"messages":null})", "invalid_type", "messages"},
      {R"({"messages":[]})", "invalid_value", "messages"},
      {R"({"messages":[5]})", "invalid_type", "messages[0]"},
      {R"({"messages":[{"role":"system","content":"a"}]})", "invalid_value", "messages[0].role"},
      {R"({"messages":[{"content":"a"}]})", "missing_required", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "missing_required", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":null}]})", "invalid_type", "messages[0].content"},
      {R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})", "unsupported",
       "messages[1]"},
      {user("5"), "invalid_type", "messages[0].content[0]"},
      {user("{}"), "missing_required", "messages[0].content[0].type"},
      {user(R"({"type":"text"})"), "missing_required", "messages[0].content[0].text"},
      {user(R"({"type":"text","text":5})"), "invalid_type", "messages[0].content[0].text"},
      {user(R"({"type":"audio"})"), "unsupported_content_type", "messages[0].content[0]"},
      {user(R"({"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AA=="}})"),
       "unsupported", "messages[0].content[0]"},
      {user(R"({"type":"image"})"), "missing_required", "messages[0].content[0].source"},
      {user(R"({"type":"image","source":{"type":"file","file_id":"f"}})"), "unsupported",
       "messages[0].content[0].source"},
      {user(R"({"type":"image","source":{"type":"base64","data":"AA=="}})"), "missing_required",
       "messages[0].content[0].source.media_type"},
      {user(R"({"type":"image","source":{"type":"base64","media_type":"text/html","data":"AA=="}})"), "invalid_value",
       "messages[0].content[0].source.media_type"},
      {user(R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"***"}})"), "invalid_base64",
       "messages[0].content[0].source"},
      {user(R"({"type":"image","source":{"type":"url","url":"http://example.com/a.png"}})"), "remote_media_disabled",
       "messages[0].content[0].source"},
      {user(R"({"type":"tool_result","tool_use_id":"x","content":"r"})"), "invalid_value", "messages[0]"},
      {user(R"({"type":"tool_result","content":"r"})"), "missing_required", "messages[0].content[0].tool_use_id"},
      {user(blocks), "too_many", "messages[0].content"},
      {"{\"messages\":[" + messages_list + "]}", "too_many", "messages"},
  };
  for (const Case& c : cases) {
    const Reply reply = messages(server, c.fields);
    const bool missing_model = std::string_view(c.code) == "model_not_found";
    EXPECT_EQ(reply.status, missing_model ? 404 : 400) << c.fields.substr(0, 200);
    EXPECT_EQ(reply.code(), c.code) << c.fields.substr(0, 200) << reply.body;
    const Json json = Json::parse(reply.body);
    EXPECT_EQ(json["type"], "error");
    EXPECT_EQ(json["error"]["type"], missing_model ? "not_found_error" : "invalid_request_error");
    EXPECT_EQ(json["error"]["param"], c.param) << c.fields.substr(0, 200);
    EXPECT_LT(reply.body.size(), 1000u);
  }
  std::string deep = "\"x\"";
  for (int i = 0; i < 100; ++i) deep = "[" + deep + "]";
  EXPECT_EQ(server.request(server.post("/v1/messages", "{\"messages\":" + deep + "}")).code(), "too_deep");
  EXPECT_EQ(messages(server, "{}").status, 200);
}

// Also what is refused before a route is reached comes in Anthropic's form.
TEST(Anthropic, ErrorsOfTheServer) {
  ServerOptions options;
  options.api_key = "sesame-open-1234567890";
  TestServer server(options);
  const auto type_of = [](const Reply& reply) {
    const Json json = Json::parse(reply.body);
    EXPECT_EQ(json.value("type", ""), "error") << reply.body;
    return json["error"]["type"].get<std::string>();
  };
  EXPECT_EQ(type_of(messages(server, "{}")), "authentication_error");
  const std::string key = "x-api-key: " + *options.api_key + "\r\n";
  const auto post = [&](const std::string& extra) {
    return server.request(server.post("/v1/messages", body_of("{}"), key + extra));
  };
  EXPECT_EQ(post("").status, 200);
  EXPECT_EQ(type_of(post("Origin: https://evil.example\r\n")), "permission_error");
  EXPECT_EQ(type_of(server.get("/v1/messages", key)), "invalid_request_error");
  EXPECT_EQ(type_of(server.request(
                server.head("POST /v1/messages", key + "Content-Type: text/plain\r\nContent-Length: 2\r\n") + "{}")),
            "invalid_request_error");
  EXPECT_EQ(type_of(server.request(server.head(
                "POST /v1/messages", key + "Content-Type: application/json\r\nContent-Length: 99999999999\r\n"))),
            "request_too_large");
  server.engine.refuse(Error(ErrorKind::kOverloaded, "queue_full", "the queue is full"));
  const Reply full = post("");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(type_of(full), "overloaded_error");
  EXPECT_TRUE(full.has_header("Retry-After: "));
  // Elsewhere it is OpenAI's.
  EXPECT_FALSE(Json::parse(server.get("/v1/models").body).contains("type"));
}

TEST(Anthropic, BrokenAnswers) {
  TestServer server;
  server.engine.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  const Reply whole = messages(server, "{}");
  EXPECT_EQ(whole.status, 500);
  EXPECT_EQ(Json::parse(whole.body)["error"]["type"], "api_error");
  const Reply stream = messages(server, R"({"stream":true})");
  const auto events = events_of(stream.body);
  EXPECT_EQ(events.back()["type"], "error");
  EXPECT_EQ(events.back()["error"]["type"], "api_error");
  EXPECT_NE(stream.body.find("event: error\ndata: "), std::string::npos);
  EXPECT_EQ(stream.body.find("message_stop"), std::string::npos);
}

}  // namespace
}  // namespace qvl
