// Chat completions beyond one plain answer: several answers, usage while it runs, thinking and its end, tools in
// pieces.
#include <gtest/gtest.h>

#include "tests/serve/events.h"

namespace qvl {
namespace {

std::string text_of(const std::vector<Json>& events, size_t index, const char* field) {
  std::string text;
  for (const Json& event : events) {
    for (const Json& choice : event["choices"]) {
      if (choice["index"] == index) text += choice["delta"].value(field, "");
    }
  }
  return text;
}

TEST(OpenAiChat, SeveralAnswers) {
  TestServer server;
  const Json json = Json::parse(server.chat(ask(R"({"n":3,"seed":40})").dump()).body);
  ASSERT_EQ(json["choices"].size(), 3u);
  const auto tokens = static_cast<int64_t>(ids_of("A red circle.").size());
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(json["choices"][i]["index"], i);
    EXPECT_EQ(json["choices"][i]["message"]["content"], "A red circle.");
    EXPECT_EQ(server.engine.all_params()[i].seed, 40 + i);
  }
  EXPECT_EQ(json["usage"]["completion_tokens"], 3 * tokens);
  const auto prompt_tokens = static_cast<int64_t>(server.engine.last_prompt().token_ids.size());
  EXPECT_EQ(json["usage"]["prompt_tokens"], prompt_tokens);  // once
  EXPECT_EQ(json["usage"]["total_tokens"], prompt_tokens + 3 * tokens);
}

TEST(OpenAiChat, SeveralAnswersStreamed) {
  TestServer server;
  const Reply reply = server.chat(ask(R"({"n":2,"stream":true,"stream_options":{"include_usage":true}})").dump());
  const auto events = events_of(reply.body);
  int finished = 0;
  for (const Json& event : events) {
    for (const Json& choice : event["choices"]) finished += choice["finish_reason"] == "stop";
  }
  EXPECT_EQ(finished, 2);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(text_of(events, i, "content"), "A red circle.");
  EXPECT_EQ(events.back()["choices"], Json::array());
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], 2 * ids_of("A red circle.").size());
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
}

TEST(OpenAiChat, OneOfSeveralFails) {
  TestServer server;
  server.engine.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  EXPECT_EQ(server.chat(ask(R"({"n":2})").dump()).code(), "nan_logits");
  const auto events = events_of(server.chat(ask(R"({"n":2,"stream":true})").dump()).body);
  EXPECT_EQ(events.back()["error"]["code"], "nan_logits");
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }));
}

TEST(OpenAiChat, UsageInEveryChunk) {
  TestServer server;
  const auto events = events_of(
      server
          .chat(ask(R"({"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}})").dump())
          .body);
  int64_t last = -1;
  for (size_t i = 1; i + 1 < events.size(); ++i) {
    const auto now = events[i]["usage"]["completion_tokens"].get<int64_t>();
    EXPECT_GE(now, last);
    EXPECT_GT(events[i]["usage"]["prompt_tokens"].get<int64_t>(), 0);
    last = now;
  }
  EXPECT_EQ(last, static_cast<int64_t>(ids_of("A red circle.").size()));
}

TEST(OpenAiChat, PriorityReachesTheEngine) {
  TestServer server;
  server.chat(ask(R"({"priority":-7})").dump());
  EXPECT_EQ(server.engine.last_params().priority, -7);
}

TEST(OpenAiChat, PictureTokensAreCounted) {
  TestServer server;
  const Json body = {{"messages", Json::parse(R"([{"role":"user","content":[{"type":"image_url","image_url":")" +
                                              std::string(kPng) + R"("},{"type":"text","text":"?"}]}])")}};
  const Json details = Json::parse(server.chat(body.dump()).body)["usage"]["prompt_tokens_details"];
  EXPECT_EQ(details["image_tokens"], server.engine.last_prompt().visuals[0].grid.patches() / 4);
  EXPECT_EQ(details["video_tokens"], 0);
}

// ---- pictures and videos
std::string with_parts(const std::string& parts, const std::string& more = "") {
  return R"({"messages":[{"role":"user","content":[)" + parts + "]}]" + more + "}";
}
std::string in_quotes(std::string_view text) { return fmt::format("\"{}\"", text); }

std::string prompt_text(const TestServer& server) {
  return tiny_tokenizer().decode(server.engine.last_prompt().token_ids, false);
}

TEST(OpenAiParts, FramesOfAVideo) {
  TestServer server;
  const std::string png(kFrame);
  const std::string list =
      R"({"type":"video_url","video_url":{"url":"data:video/jpeg;base64,)" + png + "," + png + "," + png + R"("}})";
  const Reply reply = server.chat(with_parts(list + R"(,{"type":"text","text":"What happens?"})"));
  ASSERT_EQ(reply.status, 200) << reply.body;
  Prompt prompt = server.engine.last_prompt();
  ASSERT_EQ(prompt.visuals.size(), 1u);
  EXPECT_EQ(prompt.visuals[0].grid.t, 2);  // three frames in groups of two
  EXPECT_EQ(prompt.visuals[0].token_begins.size(), 2u);
  // Two frames a second: the first pair's mean, and the last frame twice.
  EXPECT_NE(prompt_text(server).find("<0.2 seconds><|vision_start|><|video_pad|>"), std::string::npos)
      << prompt_text(server);
  EXPECT_NE(prompt_text(server).find("<1.0 seconds><|vision_start|><|video_pad|>"), std::string::npos);
  const Json details = Json::parse(reply.body)["usage"]["prompt_tokens_details"];
  EXPECT_EQ(details["video_tokens"], prompt.visuals[0].grid.patches() / 4);
  EXPECT_EQ(details["image_tokens"], 0);

  const std::string array =
      R"({"type":"video","video":[)" + in_quotes(png) + R"(,"data:image/png;base64,)" + png + R"("],"fps":0.5})";
  EXPECT_EQ(server.chat(with_parts(array)).status, 200);
  EXPECT_NE(prompt_text(server).find("<1.0 seconds>"), std::string::npos);
  EXPECT_EQ(server.engine.last_prompt().visuals[0].grid.t, 1);
}

TEST(OpenAiParts, FramesAreChosenWhereAsked) {
  TestServer server;
  std::string frames;
  for (int i = 0; i < 8; ++i) frames += fmt::format("{}\"{}\"", i > 0 ? "," : "", kFrame);
  const std::string video = R"({"type":"video","video":[)" + frames + R"(],"fps":2})";
  const auto groups = [&](const std::string& more) {
    const Reply reply = server.chat(with_parts(video, more));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return server.engine.last_prompt().visuals[0].grid.t;
  };
  EXPECT_EQ(groups(""), 4);
  EXPECT_EQ(groups(R"(,"mm_processor_kwargs":{"num_frames":6})"), 3);
  EXPECT_EQ(groups(R"(,"mm_processor_kwargs":{"fps":1})"), 2);
  EXPECT_EQ(groups(R"(,"mm_processor_kwargs":{"fps":1,"do_sample_frames":false})"), 4);
  EXPECT_EQ(groups(R"(,"media_io_kwargs":{"video":{"num_frames":4}})"), 2);
  EXPECT_EQ(groups(R"(,"media_io_kwargs":{"video":{"num_frames":-1}})"), 4);
}

TEST(OpenAiParts, PixelsOfAVideo) {
  TestServer server;
  const auto patches = [&](const std::string& options, const std::string& more = "") {
    const Reply reply = server.chat(with_parts(
        R"({"type":"video","video":[)" + in_quotes(kFrame) + "," + in_quotes(kFrame) + "]" + options + "}", more));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return server.engine.last_prompt().visuals[0].grid.patches();
  };
  const auto plain = patches("");
  EXPECT_GT(patches(R"(,"min_pixels":20000)"), plain);
  EXPECT_GT(patches("", R"(,"mm_processor_kwargs":{"size":{"shortest_edge":40000}})"), plain);
  EXPECT_EQ(patches(R"(,"total_pixels":1024)"), 4);
}

TEST(OpenAiParts, OrderOfMixedParts) {
  TestServer server;
  const std::string png(kFrame);
  const std::string picture = R"({"type":"input_image","image_url":"data:image;base64,)" + png + R"("})";
  const std::string video = R"({"type":"video","video":[)" + in_quotes(png) + "," + in_quotes(png) + R"(],"fps":1})";
  const std::string text = R"({"type":"input_text","text":"then"})";
  ASSERT_EQ(
      server.chat(with_parts(video + "," + text + "," + picture, R"(,"chat_template_kwargs":{"add_vision_id":true})"))
          .status,
      200);
  const std::string prompt = prompt_text(server);
  const size_t first = prompt.find("Video 1: "), second = prompt.find("then"), third = prompt.find("Picture 1: ");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
  ASSERT_EQ(server.engine.last_prompt().visuals.size(), 2u);
}

TEST(OpenAiParts, NamedPicturesAreRemembered) {
  TestServer server;
  const std::string png(kPng);
  ASSERT_EQ(server
                .chat(with_parts(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,)" + png +
                                 R"("},"uuid":"cat"})"))
                .status,
            200);
  const Prompt sent = server.engine.last_prompt();
  for (const char* empty : {R"("image_url":null,)", R"("image_url":{},)", ""}) {
    const Reply reply = server.chat(with_parts(std::string("{\"type\":\"image_url\",") + empty + R"("uuid":"cat"})"));
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(server.engine.last_prompt().visuals[0].content_hash, sent.visuals[0].content_hash);
  }
  EXPECT_EQ(server.chat(with_parts(R"({"type":"image_url","uuid":"dog"})")).code(), "unknown_picture");
  // A picture that was refused is not remembered.
  EXPECT_EQ(server.chat(with_parts(R"({"type":"image_url","image_url":"AAAA","uuid":"dog"})")).status, 400);
  EXPECT_EQ(server.chat(with_parts(R"({"type":"image_url","uuid":"dog"})")).code(), "unknown_picture");
}

TEST(OpenAiParts, ResizedSides) {
  TestServer server;
  const std::string part =
      R"({"type":"image","image":)" + in_quotes(kPng) + R"(,"resized_height":130,"resized_width":250})";
  ASSERT_EQ(server.chat(with_parts(part)).status, 200);
  const Grid grid = server.engine.last_prompt().visuals[0].grid;
  EXPECT_EQ(grid.h, 128 / 16);
  EXPECT_EQ(grid.w, 256 / 16);
}

// ---- thinking
TEST(OpenAiChat, ThinkingChoosesTheServedModelOfTheOtherKind) {
  TestServer server;
  const auto model_of = [&](const char* fields) {
    return Json::parse(server.chat(ask(fields).dump()).body)["model"].get<std::string>();
  };
  EXPECT_EQ(model_of(R"({"enable_thinking":true})"), "demo-thinking");
  EXPECT_EQ(model_of(R"({"chat_template_kwargs":{"enable_thinking":true}})"), "demo-thinking");
  EXPECT_EQ(model_of(R"({"model":"demo-thinking","enable_thinking":false})"), "demo");
  EXPECT_EQ(model_of(R"({"model":"demo-thinking","reasoning_effort":"none"})"), "demo");
  EXPECT_EQ(model_of(R"({"reasoning_effort":"low"})"), "demo");
}

TEST(OpenAiChat, Budgets) {
  TestServer server;
  const auto budget = [&](const std::string& fields) {
    server.chat(ask(R"({"model":"demo-thinking",)" + fields + "}").dump());
    return server.engine.last_params().thinking->max_thinking_tokens;
  };
  EXPECT_EQ(budget(R"("enable_thinking":true)"), -1);
  EXPECT_EQ(budget(R"("thinking_budget":9)"), 9);
  EXPECT_EQ(budget(R"("thinking_token_budget":12,"reasoning_effort":"high")"), 12);
  EXPECT_EQ(budget(R"("reasoning_effort":"minimal")"), 256);
  EXPECT_EQ(budget(R"("reasoning_effort":"low")"), 1024);
  EXPECT_EQ(budget(R"("reasoning_effort":"medium")"), 4096);
  EXPECT_EQ(budget(R"("reasoning_effort":"high")"), 16384);
  EXPECT_EQ(budget(R"("reasoning_effort":"xhigh")"), -1);
}

TEST(OpenAiChat, ReasoningCanBeLeftOut) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("hm\n</think>\n\nYes")});
  const std::string fields = R"({"model":"demo-thinking","include_reasoning":false)";
  const Json json = Json::parse(server.chat(ask(fields + "}").dump()).body);
  EXPECT_TRUE(json["choices"][0]["message"]["reasoning_content"].is_null());
  EXPECT_EQ(json["choices"][0]["message"]["content"], "Yes");
  EXPECT_GT(json["usage"]["completion_tokens_details"]["reasoning_tokens"].get<int>(), 0);
  const auto events = events_of(server.chat(ask(fields + R"(,"stream":true})").dump()).body);
  EXPECT_EQ(text_of(events, 0, "reasoning_content"), "");
  EXPECT_EQ(text_of(events, 0, "content"), "Yes");
}

TEST(OpenAiChat, EndThinkingNow) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("and on "),
                            .token_time = std::chrono::microseconds(200),
                            .endless = true,
                            .after_thinking = ids_of("\n</think>\n\nYes")});
  Client client(server.port());
  client.send(
      server.post("/v1/chat/completions",
                  ask(R"({"model":"demo-thinking","stream":true,"reasoning_control":true,"max_tokens":4000})").dump()));
  ASSERT_TRUE(client.wait_for("reasoning_content"));
  const size_t at = client.pending().find("chatcmpl-");
  const std::string id = client.pending().substr(at, client.pending().find('"', at) - at);
  const auto control = [&](const std::string& body) {
    return server.request(server.post("/v1/chat/completions/control", body));
  };
  EXPECT_EQ(control(R"({"id":"chatcmpl-0","action":"reasoning_end"})").status, 404);
  EXPECT_EQ(control(R"({"id":")" + id + R"(","action":"stop"})").code(), "invalid_value");
  EXPECT_EQ(control(R"({"action":"reasoning_end"})").code(), "missing_required");
  EXPECT_EQ(control(R"({"id":")" + id + "\"}").code(), "missing_required");
  const Reply done = control(R"({"id":")" + id + R"(","action":"reasoning_end"})");
  EXPECT_EQ(done.status, 200) << done.body;
  ASSERT_TRUE(client.wait_for("data: [DONE]"));
  EXPECT_EQ(text_of(events_of(client.pending()), 0, "content"), "Yes");
  EXPECT_TRUE(eventually([&] { return control(R"({"id":")" + id + R"(","action":"reasoning_end"})").status == 404; }));
}

TEST(OpenAiChat, OnlyRequestsThatAskedAreSteered) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("and on "), .token_time = std::chrono::microseconds(200), .endless = true});
  Client client(server.port());
  client.send(server.post("/v1/chat/completions", ask(R"({"model":"demo-thinking","stream":true})").dump()));
  ASSERT_TRUE(client.wait_for("chatcmpl-"));
  const size_t at = client.pending().find("chatcmpl-");
  const std::string id = client.pending().substr(at, client.pending().find('"', at) - at);
  EXPECT_EQ(
      server.request(server.post("/v1/chat/completions/control", R"({"id":")" + id + R"(","action":"reasoning_end"})"))
          .status,
      404);
}

// ---- tools
TEST(OpenAiChat, SeveralCallsInPieces) {
  TestServer server;
  server.engine.set_script(
      {.ids =
           ids_of("Look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"x}\\\"\", \"b\": [1, {\"c\": 2}]}}\n"
                  "</tool_call>\n<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>")});
  const auto events = events_of(server.chat(ask("{\"stream\":true," + kOneTool + "}").dump()).body);
  std::vector<std::string> names, arguments;
  for (const Json& event : events) {
    if (!event["choices"][0]["delta"].contains("tool_calls")) continue;
    const Json& call = event["choices"][0]["delta"]["tool_calls"][0];
    if (call.contains("id")) {
      EXPECT_EQ(call["index"], names.size());
      EXPECT_EQ(call["type"], "function");
      EXPECT_EQ(call["function"]["arguments"], "");
      names.push_back(call["function"]["name"]);
      arguments.emplace_back();
    } else {
      EXPECT_EQ(call["index"], names.size() - 1);
      arguments.back() += call["function"]["arguments"].get<std::string>();
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"f", "g"}));
  EXPECT_EQ(arguments, (std::vector<std::string>{"{\"a\": \"x}\\\"\", \"b\": [1, {\"c\": 2}]}", "{}"}));
  EXPECT_EQ(text_of(events, 0, "content"), "Look.");
  EXPECT_EQ(events.back()["choices"][0]["finish_reason"], "tool_calls");
}

TEST(OpenAiChat, OneCallAtMost) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>\n"
                                          "<tool_call>\n{\"name\": \"g\", \"arguments\": {}}\n</tool_call>")});
  const Json json = Json::parse(server.chat(ask("{\"parallel_tool_calls\":false," + kOneTool + "}").dump()).body);
  EXPECT_EQ(json["choices"][0]["message"]["tool_calls"].size(), 1u);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
}

TEST(OpenAiChat, RoutesWithoutV1) {
  TestServer server;
  EXPECT_EQ(server.request(server.post("/chat/completions", ask("{}").dump())).status, 200);
  EXPECT_EQ(Json::parse(server.get("/models").body)["data"].size(), 2u);
  EXPECT_EQ(Json::parse(server.get("/models/demo").body)["id"], "demo");
}

}  // namespace
}  // namespace qvl
