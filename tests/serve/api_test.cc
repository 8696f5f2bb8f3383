// The formats of the interfaces: OpenAI's answers whole and streamed, models, Gradio's predict.
#include <gtest/gtest.h>

#include "serve/static_files.h"
#include "tests/serve/events.h"

namespace qvl {
namespace {

TEST(OpenAi, WholeAnswer) {
  TestServer server;
  const Reply reply = server.chat(ask(R"({"model":"demo"})").dump());
  ASSERT_EQ(reply.status, 200);
  const Json json = Json::parse(reply.body);
  EXPECT_TRUE(json["id"].get<std::string>().starts_with("chatcmpl-"));
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["model"], "demo");
  EXPECT_TRUE(json["system_fingerprint"].is_string());
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], "A red circle.");
  EXPECT_TRUE(choice["message"]["reasoning_content"].is_null());
  EXPECT_TRUE(choice["logprobs"].is_null());
  EXPECT_EQ(choice["finish_reason"], "stop");
  const auto tokens = static_cast<int64_t>(ids_of("A red circle.").size());
  EXPECT_EQ(json["usage"]["completion_tokens"], tokens);
  EXPECT_EQ(json["usage"]["total_tokens"].get<int64_t>(), json["usage"]["prompt_tokens"].get<int64_t>() + tokens);
  for (const char* name : {"cache_n", "prompt_n", "prompt_ms", "prompt_per_second", "predicted_n", "predicted_ms",
                           "predicted_per_second", "vision_ms", "vision_n", "ttft_ms"}) {
    EXPECT_TRUE(json["timings"][name].is_number()) << name;
  }
}

TEST(OpenAi, ThinkingHasBothSpellings) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("hm\n</think>\n\nYes")});
  const Json json = Json::parse(server.chat(ask(R"({"model":"demo-thinking"})").dump()).body);
  const Json& message = json["choices"][0]["message"];
  EXPECT_EQ(message["content"], "Yes");
  EXPECT_EQ(message["reasoning_content"], "hm");
  EXPECT_EQ(message["reasoning"], "hm");
  EXPECT_EQ(json["usage"]["completion_tokens_details"]["reasoning_tokens"], ids_of("hm\n</think>").size());
  const auto events = events_of(server.chat(ask(R"({"model":"demo-thinking","stream":true})").dump()).body);
  std::string reasoning, content;
  for (const Json& event : events) {
    const Json& delta = event["choices"][0]["delta"];
    if (delta.contains("reasoning_content")) {
      EXPECT_EQ(delta["reasoning"], delta["reasoning_content"]);
      reasoning += delta["reasoning"].get<std::string>();
    }
    if (delta.contains("content")) content += delta["content"].get<std::string>();
  }
  EXPECT_EQ(reasoning, "hm");
  EXPECT_EQ(content, "Yes");
}

TEST(OpenAi, StreamedAnswer) {
  TestServer server;
  const Reply reply = server.chat(ask(R"({"stream":true,"stream_options":{"include_usage":true}})").dump());
  EXPECT_TRUE(reply.has_header("Content-Type: text/event-stream"));
  EXPECT_TRUE(reply.has_header("Cache-Control: no-cache"));
  EXPECT_TRUE(reply.has_header("X-Accel-Buffering: no"));
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  const auto events = events_of(reply.body);
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[0]["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(events[0]["choices"][0]["delta"]["content"], "");
  std::string content;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    content += events[i]["choices"][0]["delta"].value("content", "");
    EXPECT_TRUE(events[i]["choices"][0]["finish_reason"].is_null());
    EXPECT_TRUE(events[i].contains("usage") && events[i]["usage"].is_null());
    EXPECT_EQ(events[i]["id"], events[0]["id"]);
    EXPECT_EQ(events[i]["object"], "chat.completion.chunk");
  }
  EXPECT_EQ(content, "A red circle.");
  const Json& finish = events[events.size() - 2];
  EXPECT_EQ(finish["choices"][0]["delta"], Json::object());
  EXPECT_EQ(finish["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(finish["timings"].is_object());
  EXPECT_EQ(events.back()["choices"], Json::array());
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], ids_of("A red circle.").size());
  // Without the option no chunk has the field.
  for (const Json& event : events_of(server.chat(ask(R"({"stream":true})").dump()).body))
    EXPECT_FALSE(event.contains("usage"));
}

TEST(OpenAi, ToolCalls) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": 1}}\n</tool_call>")});
  const std::string tools = R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}])";
  const Json json = Json::parse(server.chat(ask("{" + tools + "}").dump()).body);
  EXPECT_TRUE(json["choices"][0]["message"]["content"].is_null());
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
  const Json& call = json["choices"][0]["message"]["tool_calls"][0];
  EXPECT_EQ(call["type"], "function");
  EXPECT_EQ(call["function"]["name"], "f");
  EXPECT_EQ(call["function"]["arguments"], "{\"a\": 1}");
  EXPECT_NE(tiny_tokenizer().decode(server.engine.last_prompt().token_ids, false).find("\"name\": \"f\""),
            std::string::npos);
  const auto events = events_of(server.chat(ask("{\"stream\":true," + tools + "}").dump()).body);
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"], "");
  EXPECT_EQ(events[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "f");
  EXPECT_EQ(events[1]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
  std::string arguments;
  for (size_t i = 2; i + 1 < events.size(); ++i) {
    const Json& piece = events[i]["choices"][0]["delta"]["tool_calls"][0];
    EXPECT_EQ(piece["index"], 0);
    EXPECT_FALSE(piece.contains("id"));
    arguments += piece["function"]["arguments"].get<std::string>();
  }
  EXPECT_EQ(arguments, "{\"a\": 1}");
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "tool_calls");
  // "none" hides the tools from the model.
  server.chat(ask("{\"tool_choice\":\"none\"," + tools + "}").dump());
  EXPECT_EQ(tiny_tokenizer().decode(server.engine.last_prompt().token_ids, false).find("\"name\""), std::string::npos);
}

TEST(OpenAi, Logprobs) {
  TestServer server;
  const Json json = Json::parse(server.chat(ask(R"({"logprobs":true,"top_logprobs":2})").dump()).body);
  const Json& content = json["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), ids_of("A red circle.").size());
  EXPECT_EQ(content[0]["token"], "A");
  EXPECT_EQ(content[0]["bytes"], Json::array({65}));
  EXPECT_FLOAT_EQ(content[0]["logprob"].get<float>(), -0.5f);
  EXPECT_EQ(content[0]["top_logprobs"].size(), 2u);
}

TEST(OpenAi, FieldsReachTheEngine) {
  TestServer server;
  const std::string fields =
      R"({"temperature":0.5,"top_p":0.25,"top_k":7,"min_p":0.125,"repetition_penalty":1.5,"presence_penalty":-1,"frequency_penalty":2,)"
      R"("seed":42,"max_tokens":33,"min_tokens":3,"ignore_eos":true,"stop_token_ids":[9],"logit_bias":{"5":-100},"logprobs":true})";
  EXPECT_EQ(server.chat(ask(fields).dump()).status, 200);
  const SamplingParams params = server.engine.last_params();
  EXPECT_FLOAT_EQ(params.temperature, 0.5f);
  EXPECT_FLOAT_EQ(params.top_p, 0.25f);
  EXPECT_EQ(params.top_k, 7);
  EXPECT_FLOAT_EQ(params.min_p, 0.125f);
  EXPECT_FLOAT_EQ(params.repetition_penalty, 1.5f);
  EXPECT_FLOAT_EQ(params.presence_penalty, -1.0f);
  EXPECT_FLOAT_EQ(params.frequency_penalty, 2.0f);
  EXPECT_EQ(params.seed, 42u);
  EXPECT_EQ(params.max_tokens, 33);
  EXPECT_EQ(params.min_tokens, 3);
  EXPECT_TRUE(params.ignore_eos);
  EXPECT_EQ(params.stop_token_ids, std::vector<int32_t>{9});
  ASSERT_EQ(params.logit_bias.size(), 1u);
  EXPECT_EQ(params.logit_bias[0].first, 5);
  EXPECT_EQ(params.logprobs, 0);
  server.chat(ask(R"({"model":"demo-thinking","thinking_token_budget":12})").dump());
  EXPECT_EQ(server.engine.last_params().thinking->max_thinking_tokens, 12);
}

TEST(OpenAi, EngineErrors) {
  TestServer server;
  server.engine.refuse(Error(ErrorKind::kOverloaded, "queue_full", "the queue is full"));
  const Reply full = server.chat(ask("{}").dump());
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.code(), "queue_full");
  EXPECT_TRUE(full.has_header("Retry-After: "));
  server.engine.refuse(std::nullopt);
  server.engine.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  const Reply broken = server.chat(ask("{}").dump());
  EXPECT_EQ(broken.status, 500);
  EXPECT_EQ(broken.code(), "nan_logits");
  const auto events = events_of(server.chat(ask(R"({"stream":true})").dump()).body);
  EXPECT_EQ(events.back()["error"]["code"], "nan_logits");
}

TEST(OpenAi, Models) {
  TestServer server;
  const Json list = Json::parse(server.get("/v1/models").body);
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 2u);
  EXPECT_EQ(list["data"][0]["id"], "demo");
  EXPECT_EQ(list["data"][1]["qwen3vl"]["template"], "thinking");
  const Json one = Json::parse(server.get("/v1/models/demo-thinking").body);
  EXPECT_EQ(one["id"], "demo-thinking");
  EXPECT_EQ(one["object"], "model");
  EXPECT_EQ(one["max_model_len"], 4096);
  EXPECT_EQ(one["architecture"]["input_modalities"][1], "image");
  EXPECT_DOUBLE_EQ(one["qwen3vl"]["defaults"]["temperature"].get<double>(), 1.0);
  const Reply missing = server.get("/v1/models/nope");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.code(), "model_not_found");
}

Reply predict(TestServer& server, const std::string& data, const char* path = "/api/predict") {
  return server.request(server.post(path, "{\"data\":" + data + "}"));
}

TEST(Gradio, Predict) {
  TestServer server;
  const std::string png(kPng);
  const Reply reply = predict(server, R"(["What?", null, "instruct"])");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::parse(reply.body);
  EXPECT_EQ(json["data"], Json::array({"A red circle."}));
  EXPECT_EQ(json["is_generating"], false);
  EXPECT_GE(json["duration"].get<double>(), 0.0);
  EXPECT_GE(json["average_duration"].get<double>(), 0.0);
  for (const std::string& picture : {"\"" + png + "\"", "\"data:image/png;base64," + png + "\"",
                                     R"({"path":null,"url":"data:image/png;base64,)" + png + "\"}"}) {
    EXPECT_EQ(predict(server, "[\"What?\"," + picture + ",\"instruct\"]", "/run/predict").status, 200);
    EXPECT_EQ(server.engine.last_prompt().visuals.size(), 1u);
  }
  EXPECT_EQ(predict(server, R"(["a"])", "/api/predict/").status, 200);
  EXPECT_EQ(predict(server, R"(["a", null, "instruct", 0.5, 0.75, 9])").status, 200);
  EXPECT_FLOAT_EQ(server.engine.last_params().temperature, 0.5f);
  EXPECT_FLOAT_EQ(server.engine.last_params().top_p, 0.75f);
  EXPECT_EQ(server.engine.last_params().max_tokens, 9);
}

TEST(Gradio, ThinkingGivesTheAnswerAlone) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("hm\n</think>\n\nYes")});
  EXPECT_EQ(Json::parse(predict(server, R"(["What?", null, "thinking"])").body)["data"][0], "Yes");
  EXPECT_TRUE(server.engine.last_params().thinking.has_value());
}

TEST(Gradio, BadRequests) {
  TestServer server;
  const std::pair<const char*, const char*> cases[] = {
      {"5", "invalid_type"},
      {"[]", "missing_required"},
      {"[5]", "invalid_type"},
      {R"(["a", 5])", "invalid_type"},
      {R"(["a", {}])", "missing_required"},
      {R"(["a", {"path": "/etc/passwd"}])", "unsupported"},
      {R"(["a", "https://example.com/a.png"])", "remote_media_disabled"},
      {R"(["a", "/etc/x.png"])", "invalid_base64"},
      {R"(["a", null, "other"])", "invalid_value"},
      {R"(["a", null, 5])", "invalid_type"},
      {R"(["a", null, null, "x"])", "invalid_type"},
      {R"(["a", null, null, 3])", "invalid_value"},
      {R"(["a", null, null, null, null, 0])", "invalid_value"},
  };
  for (const auto& [data, code] : cases) {
    const Reply reply = predict(server, data);
    EXPECT_EQ(reply.status, 400) << data;
    EXPECT_EQ(reply.code(), code) << data;
  }
  EXPECT_EQ(server.request(server.post("/api/predict", "{}")).code(), "missing_required");
}

HttpResponse fetch(const std::vector<Route>& routes, const std::string& path, HttpHeaders headers = {}) {
  for (const Route& route : routes) {
    if (route.path != path) continue;
    HttpRequest request;
    request.headers = std::move(headers);
    return std::get<HttpResponse>(route.handler(request));
  }
  return {404, "", "", {}};
}

TEST(StaticFiles, TypesTagsAndRanges) {
  const EmbeddedFile files[] = {{"/index.html", "<p>hi"}, {"/assets/a-1.js", "0123456789"}, {"/x.bin", ""}};
  const auto routes = static_routes(files);
  EXPECT_EQ(fetch(routes, "/").body, "<p>hi");
  EXPECT_EQ(fetch(routes, "/").content_type, "text/html; charset=utf-8");
  const HttpResponse script = fetch(routes, "/assets/a-1.js");
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(script.headers[0].first, "ETag");
  EXPECT_EQ(fetch(routes, "/assets/a-1.js", {{"If-None-Match", script.headers[0].second}}).status, 304);
  const auto range = [&](const char* text) { return fetch(routes, "/assets/a-1.js", {{"range", text}}); };
  EXPECT_EQ(range("bytes=2-4").body, "234");
  EXPECT_EQ(range("bytes=2-4").status, 206);
  EXPECT_EQ(range("bytes=7-").body, "789");
  EXPECT_EQ(range("bytes=-3").body, "789");
  EXPECT_EQ(range("bytes=-300").body, "0123456789");
  EXPECT_EQ(range("bytes=8-100").body, "89");
  EXPECT_EQ(range("bytes=4-2").status, 200);
  EXPECT_EQ(range("bytes=1-2,4-5").status, 200);
  EXPECT_EQ(range("lines=1-2").status, 200);
  for (const char* bad : {"bytes=10-", "bytes=18446744073709551615-", "bytes=99999999999999999999-", "bytes=-0"}) {
    EXPECT_THROW(range(bad), Error) << bad;
  }
  EXPECT_EQ(fetch(routes, "/x.bin").body, "");
  EXPECT_NE(fetch(static_routes({}), "/").body.find("without its page"), std::string::npos);
}

}  // namespace
}  // namespace qvl
