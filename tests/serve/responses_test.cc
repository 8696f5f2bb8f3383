// /v1/responses: what requests mean, the response object and its events, what a stateless server refuses.
#include <gtest/gtest.h>

#include <map>

#include "tests/serve/events.h"

namespace qvl {
namespace {

const std::string kTools =
    R"("tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":null}])";
const std::string kCall = "<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>";

Reply respond(TestServer& server, std::string_view fields) {
  Json json = {{"model", "demo"}, {"input", "hi"}};
  json.update(Json::parse(fields));
  return server.request(server.post("/v1/responses", json.dump()));
}

TEST(Responses, WholeAnswer) {
  TestServer server;
  const Reply reply = respond(server, R"({"store":true,"metadata":{"k":"v"},"max_output_tokens":99})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::parse(reply.body);
  EXPECT_TRUE(json["id"].get<std::string>().starts_with("resp_"));
  EXPECT_EQ(json["object"], "response");
  EXPECT_EQ(json["status"], "completed");
  EXPECT_EQ(json["model"], "demo");
  EXPECT_EQ(json["store"], false);
  EXPECT_EQ(json["metadata"]["k"], "v");
  EXPECT_EQ(json["max_output_tokens"], 99);
  ASSERT_EQ(json["output"].size(), 1u);
  const Json& message = json["output"][0];
  EXPECT_EQ(message["type"], "message");
  EXPECT_EQ(message["status"], "completed");
  EXPECT_EQ(message["content"],
            Json::parse(R"([{"type":"output_text","text":"A red circle.","annotations":[],"logprobs":[]}])"));
  EXPECT_EQ(json["usage"]["input_tokens"], server.engine.last_prompt().token_ids.size());
  EXPECT_EQ(json["usage"]["output_tokens"], ids_of("A red circle.").size());
  EXPECT_TRUE(json["error"].is_null());
}

TEST(Responses, FieldsReachTheEngine) {
  TestServer server;
  const Reply reply = respond(server, R"({"model":"demo-thinking","max_output_tokens":33,"temperature":0.5,"top_p":0.25,
      "reasoning":{"effort":"low","summary":"auto"},"include":["message.output_text.logprobs"],"top_logprobs":2})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const SamplingParams params = server.engine.last_params();
  EXPECT_EQ(params.max_tokens, 33);
  EXPECT_FLOAT_EQ(params.temperature, 0.5f);
  EXPECT_FLOAT_EQ(params.top_p, 0.25f);
  EXPECT_EQ(params.logprobs, 2);
  EXPECT_EQ(params.thinking->max_thinking_tokens, 1024);
  EXPECT_EQ(Json::parse(respond(server, R"({"model":"demo-thinking","reasoning":{"effort":"none"}})").body)["model"],
            "demo");
}

// Every event once and in order, numbered; what they build is the response at the end.
TEST(Responses, StreamedAnswer) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("hm\n</think>\n\nYes.\n" + kCall + kCall)});
  const Reply reply = respond(server, "{\"stream\":true,\"model\":\"demo-thinking\"," + kTools + "}");
  const auto events = events_of(reply.body);
  std::map<std::string, int> counts;
  Json output = Json::array();
  std::vector<std::string> joined(4);
  for (size_t i = 0; i < events.size(); ++i) {
    const Json& event = events[i];
    const auto type = event["type"].get<std::string>();
    EXPECT_EQ(event["sequence_number"], i);
    EXPECT_NE(reply.body.find("event: " + type + "\ndata: {\"type\":\"" + type), std::string::npos);
    ++counts[type];
    if (type == "response.output_item.added") {
      EXPECT_EQ(event["output_index"], output.size());
      EXPECT_EQ(event["item"]["status"], "in_progress");
    }
    if (type.ends_with(".delta")) joined[output.size()] += event["delta"].get<std::string>();
    if (type == "response.output_text.done" || type == "response.reasoning_text.done") {
      EXPECT_EQ(event["text"], joined[output.size()]);
    }
    if (type == "response.function_call_arguments.done") {
      EXPECT_EQ(event["arguments"], joined[output.size()]);
    }
    EXPECT_EQ(event.value("output_index", output.size()), output.size());
    if (type == "response.output_item.done") output.push_back(event["item"]);
  }
  EXPECT_EQ(events[0]["type"], "response.created");
  EXPECT_EQ(events[1]["type"], "response.in_progress");
  EXPECT_EQ(events.back()["type"], "response.completed");
  EXPECT_EQ(counts["response.output_item.added"], 4);
  EXPECT_EQ(counts["response.output_item.done"], 4);
  EXPECT_EQ(counts["response.content_part.added"], 2);
  EXPECT_EQ(counts["response.content_part.done"], 2);
  EXPECT_EQ(counts["response.function_call_arguments.done"], 2);
  const Json& response = events.back()["response"];
  EXPECT_EQ(response["output"], output);
  EXPECT_EQ(response["status"], "completed");
  EXPECT_EQ(response["usage"]["output_tokens_details"]["reasoning_tokens"], ids_of("hm\n</think>").size());
  EXPECT_EQ(output[0]["type"], "reasoning");
  EXPECT_EQ(output[0]["content"][0]["text"], "hm");
  EXPECT_EQ(output[1]["content"][0]["text"], "Yes.");
  EXPECT_EQ(output[2]["type"], "function_call");
  EXPECT_EQ(output[2]["name"], "f");
  EXPECT_EQ(Json::parse(output[2]["arguments"].get<std::string>()), Json::parse(R"({"a":1})"));
  EXPECT_NE(output[2]["call_id"], output[3]["call_id"]);
  // Not streamed, it is the same.
  const Json whole = Json::parse(respond(server, "{\"model\":\"demo-thinking\"," + kTools + "}").body);
  ASSERT_EQ(whole["output"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(whole["output"][i]["type"], output[i]["type"]);
  EXPECT_EQ(whole["output"][1]["content"], output[1]["content"]);
  EXPECT_EQ(Json::parse(whole["output"][3]["arguments"].get<std::string>()), Json::parse(R"({"a":1})"));
}

TEST(Responses, EmptyAndIncompleteAnswers) {
  TestServer server;
  const Json cut = Json::parse(respond(server, R"({"max_output_tokens":1})").body);
  EXPECT_EQ(cut["status"], "incomplete");
  EXPECT_EQ(cut["incomplete_details"]["reason"], "max_output_tokens");
  EXPECT_EQ(cut["output"][0]["status"], "incomplete");
  EXPECT_EQ(events_of(respond(server, R"({"max_output_tokens":1,"stream":true})").body).back()["type"],
            "response.incomplete");
  server.engine.set_script({.ids = {}});
  const Json empty = Json::parse(respond(server, "{}").body);
  EXPECT_EQ(empty["output"][0]["content"][0]["text"], "");
}

TEST(Responses, BrokenAnswers) {
  TestServer server;
  server.engine.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  EXPECT_EQ(respond(server, "{}").code(), "nan_logits");
  const auto events = events_of(respond(server, R"({"stream":true})").body);
  EXPECT_EQ(events[events.size() - 2]["type"], "error");
  EXPECT_EQ(events[events.size() - 2]["code"], "nan_logits");
  EXPECT_EQ(events.back()["type"], "response.failed");
  EXPECT_EQ(events.back()["response"]["error"]["code"], "nan_logits");
  EXPECT_EQ(events.back()["response"]["status"], "failed");
}

TEST(Responses, Logprobs) {
  TestServer server;
  const std::string fields = R"("include":["message.output_text.logprobs"],"top_logprobs":2)";
  const Json json = Json::parse(respond(server, "{" + fields + "}").body);
  const Json& logprobs = json["output"][0]["content"][0]["logprobs"];
  ASSERT_EQ(logprobs.size(), ids_of("A red circle.").size());
  EXPECT_EQ(logprobs[0]["token"], "A");
  EXPECT_EQ(logprobs[0]["top_logprobs"].size(), 2u);
  size_t streamed = 0;
  for (const Json& event : events_of(respond(server, "{\"stream\":true," + fields + "}").body)) {
    if (event["type"] == "response.output_text.delta") streamed += event["logprobs"].size();
  }
  EXPECT_EQ(streamed, logprobs.size());
}

// The same conversation in the chat's form gives the same prompt.
TEST(Responses, ItemsMeanWhatMessagesMean) {
  TestServer server;
  const std::string url = "data:image/png;base64," + std::string(kPng);
  ASSERT_EQ(respond(server, R"({"instructions":"S",)" + kTools + R"(,"input":[
      {"role":"user","content":[{"type":"input_image","image_url":")" +
                                url + R"(","detail":"low"},{"type":"input_text","text":"look"}]},
      {"type":"reasoning","id":"rs_1","summary":[]},
      {"type":"message","role":"assistant","id":"msg_1","status":"completed","content":[{"type":"output_text","text":"ok","annotations":[]}]},
      {"type":"function_call","call_id":"i1","name":"f","arguments":"{\"a\": 1}"},
      {"type":"function_call","call_id":"i2","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"i1","output":"r"},
      {"type":"function_call_output","call_id":"i2","output":[{"type":"input_text","text":"q"}]},
      {"role":"developer","content":"D"},{"role":"user","content":"and?"}]})")
                .status,
            200);
  const Prompt ours = server.engine.last_prompt();
  ASSERT_EQ(
      server
          .chat(
              R"({"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
      "messages":[{"role":"system","content":"S"},
      {"role":"user","content":[{"type":"image_url","image_url":{"url":")" +
              url + R"(","detail":"low"}},{"type":"text","text":"look"}]},
      {"role":"assistant","content":"ok","tool_calls":[{"id":"i1","function":{"name":"f","arguments":"{\"a\": 1}"}},
        {"id":"i2","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"i1","content":"r"},{"role":"tool","tool_call_id":"i2","content":"q"},
      {"role":"developer","content":"D"},{"role":"user","content":"and?"}]})")
          .status,
      200);
  EXPECT_EQ(tiny_tokenizer().decode(ours.token_ids, false),
            tiny_tokenizer().decode(server.engine.last_prompt().token_ids, false));
  EXPECT_EQ(ours.visuals.size(), 1u);
}

TEST(Responses, BadRequests) {
  TestServer server;
  std::string parts, items;
  for (int i = 0; i < 257; ++i) parts += (i ? "," : "") + std::string(R"({"type":"input_text","text":"a"})");
  for (int i = 0; i < 4097; ++i) items += (i ? "," : "") + std::string(R"({"role":"user","content":"a"})");
  struct Case {
    std::string fields;
    const char *code, *param;
  };
  const auto user = [](const std::string& part) { return R"({"input":[{"role":"user","content":[)" + part + "]}]}"; };
  const Case cases[] = {
      {R"({"previous_response_id":"resp_1"})", "unsupported", "previous_response_id"},
      {R"({"conversation":"conv_1"})", "unsupported", "conversation"},
      {R"({"background":true})", "unsupported", "background"},
      {R"({"prompt":{"id":"p"}})", "unsupported", "prompt"},
      {R"({"truncation":"auto"})", "unsupported", "truncation"},
      {R"({"store":"no"})", "invalid_type", "store"},
      {R"({"include":["file_search_call.results"]})", "unsupported", "include"},
      {R"({"include":"all"})", "invalid_type", "include"},
      {R"({"top_logprobs":21})", "invalid_value", "top_logprobs"},
      {R"({"model":"gpt-5"})", "model_not_found", "model"},
      {R"({"temperature":3})", "invalid_value", "temperature"},
      {R"({"max_output_tokens":0})", "invalid_value", "max_output_tokens"},
      {R"({"max_output_tokens":"1"})", "invalid_type", "max_output_tokens"},
      {R"({"reasoning":{"effort":"huge"}})", "invalid_value", "reasoning.effort"},
      {R"({"reasoning":"low"})", "invalid_type", "reasoning"},
      {R"({"text":{"verbosity":"low"}})", "unsupported", "text.verbosity"},
      {R"({"text":{"format":{}}})", "missing_required", "text.format.type"},
      {R"({"text":{"format":{"type":"xml"}}})", "invalid_value", "text.format.type"},
      {R"({"text":{"format":{"type":"json_schema","schema":{}}}})", "missing_required", "text.format.name"},
      {R"({"tools":[{"type":"web_search"}]})", "unsupported", "tools[0].type"},
      {R"({"tools":[{"type":"function"}]})", "missing_required", "tools[0].name"},
      {R"({"text":{"format":{"type":"json_schema","name":"n","schema":{"type":"nothing"}}}})", "invalid_schema",
       "text.format.schema.type"},
      {R"({"tools":[{"type":"function","name":"f","parameters":{"type":"nothing"}}],"tool_choice":"required"})",
       "invalid_schema", "tools[0].parameters.type"},
      {R"({"tool_choice":{"type":"file_search"}})", "unsupported", "tool_choice.type"},
      {R"({"tool_choice":{"type":"function"}})", "missing_required", "tool_choice.name"},
      {R"({"tool_choice":{"type":"function","name":"g"}})", "invalid_value", "tool_choice"},
      {R"({"tool_choice":"some"})", "invalid_value", "tool_choice"},
      {R"({"instructions":5})", "invalid_type", "instructions"},
      {R"({"input":null})", "invalid_type", "input"},
      {R"({"input":[]})", "invalid_value", "input"},
      {R"({"input":[5]})", "invalid_type", "input[0]"},
      {R"({"input":[{}]})", "missing_required", "input[0].type"},
      {R"({"input":[{"type":"reasoning","summary":[]}]})", "invalid_value", "input"},
      {R"({"input":[{"type":"item_reference","id":"x"}]})", "unsupported", "input[0]"},
      {R"({"input":[{"type":"web_search_call"}]})", "unsupported", "input[0].type"},
      {R"({"input":[{"role":"tool","content":"a"}]})", "invalid_value", "input[0].role"},
      {R"({"input":[{"role":"user"}]})", "missing_required", "input[0].content"},
      {R"({"input":[{"role":"user","content":5}]})", "invalid_type", "input[0].content"},
      {R"({"input":[{"type":"function_call","name":"f","arguments":"{}"}]})", "missing_required", "input[0].call_id"},
      {R"({"input":[{"type":"function_call_output","call_id":"x","output":"r"}]})", "invalid_value", "input[0]"},
      {R"({"input":[{"type":"function_call_output","call_id":"x"}]})", "missing_required", "input[0].output"},
      {user("5"), "invalid_type", "input[0].content[0]"},
      {user("{}"), "missing_required", "input[0].content[0].type"},
      {user(R"({"type":"input_text"})"), "missing_required", "input[0].content[0].text"},
      {user(R"({"type":"input_audio"})"), "unsupported_content_type", "input[0].content[0]"},
      {user(R"({"type":"input_file","file_id":"f"})"), "unsupported", "input[0].content[0]"},
      {user(R"({"type":"input_image","file_id":"f"})"), "unsupported", "input[0].content[0]"},
      {user(R"({"type":"input_image","image_url":"https://example.com/a.png"})"), "remote_media_disabled",
       "input[0].content[0]"},
      {user(parts), "too_many", "input[0].content"},
      {"{\"input\":[" + items + "]}", "too_many", "input"},
  };
  for (const Case& c : cases) {
    const Reply reply = respond(server, c.fields);
    EXPECT_EQ(reply.status, std::string_view(c.code) == "model_not_found" ? 404 : 400) << c.fields.substr(0, 200);
    EXPECT_EQ(reply.code(), c.code) << c.fields.substr(0, 200) << reply.body;
    EXPECT_EQ(Json::parse(reply.body)["error"]["param"], c.param) << c.fields.substr(0, 200);
    EXPECT_LT(reply.body.size(), 1000u);
  }
  EXPECT_EQ(server.request(server.post("/v1/responses", R"({"model":"demo"})")).code(), "missing_required");
  EXPECT_EQ(respond(server, "{}").status, 200);
}

}  // namespace
}  // namespace qvl
