// Text completions, tokens of prompts, and what the server says of itself.
#include <gtest/gtest.h>

#include "tests/serve/events.h"

namespace qvl {
namespace {

Reply complete(const TestServer& server, std::string_view fields) {
  return server.request(server.post("/v1/completions", fields));
}

TEST(Completions, WholeAnswer) {
  TestServer server;
  const Reply reply = complete(server, R"({"prompt":"Once upon"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Json::parse(reply.body);
  EXPECT_TRUE(json["id"].get<std::string>().starts_with("cmpl-"));
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["choices"][0]["text"], "A red circle.");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_TRUE(json["choices"][0]["logprobs"].is_null());
  EXPECT_EQ(server.engine.last_prompt().token_ids, ids_of("Once upon"));
  EXPECT_EQ(server.engine.last_prompt().positions.size(), 3 * ids_of("Once upon").size());
  EXPECT_EQ(server.engine.last_params().max_tokens, 16);
  EXPECT_EQ(json["usage"]["prompt_tokens"], ids_of("Once upon").size());
}

TEST(Completions, PromptsOfEveryShape) {
  TestServer server;
  EXPECT_EQ(complete(server, R"({"prompt":[5,6,7]})").status, 200);
  EXPECT_EQ(server.engine.last_prompt().token_ids, (std::vector<int32_t>{5, 6, 7}));
  // Control tokens count in a prompt that is its writer's own template.
  complete(server, R"({"prompt":"<|im_start|>user"})");
  EXPECT_EQ(server.engine.last_prompt().token_ids.front(), added_id("<|im_start|>"));
  const Json json = Json::parse(complete(server, R"({"prompt":["a",[5,6]],"n":2,"echo":true,"seed":3})").body);
  ASSERT_EQ(json["choices"].size(), 4u);
  EXPECT_EQ(json["choices"][1]["text"], "aA red circle.");
  EXPECT_EQ(json["choices"][2]["text"].get<std::string>(),
            tiny_tokenizer().decode(std::vector<int32_t>{5, 6}, false) + "A red circle.");
  EXPECT_EQ(json["choices"][3]["index"], 3);
  EXPECT_EQ(json["usage"]["prompt_tokens"], ids_of("a").size() + 2);
  EXPECT_EQ(json["usage"]["completion_tokens"], 4 * ids_of("A red circle.").size());
  EXPECT_EQ(server.engine.last_params().seed, 4u);
}

TEST(Completions, MarkersAreText) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("\n<think>a</think> b")});
  EXPECT_EQ(Json::parse(complete(server, R"({"model":"demo-thinking","prompt":"x"})").body)["choices"][0]["text"],
            "\n<think>a</think> b");
  EXPECT_FALSE(server.engine.last_params().thinking.has_value());
}

TEST(Completions, Logprobs) {
  TestServer server;
  const Json logprobs = Json::parse(complete(server, R"({"prompt":"x","logprobs":2})").body)["choices"][0]["logprobs"];
  const auto count = ids_of("A red circle.").size();
  ASSERT_EQ(logprobs["tokens"].size(), count);
  EXPECT_EQ(logprobs["tokens"][0], "A");
  EXPECT_EQ(logprobs["text_offset"][0], 0);
  EXPECT_EQ(logprobs["text_offset"][1], 1);
  EXPECT_FLOAT_EQ(logprobs["token_logprobs"][0].get<float>(), -0.5f);
  EXPECT_EQ(logprobs["top_logprobs"][0].size(), 2u);
}

TEST(Completions, Streamed) {
  TestServer server;
  const Reply reply =
      complete(server, R"({"prompt":"x","stream":true,"echo":true,"stream_options":{"include_usage":true}})");
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  const auto events = events_of(reply.body);
  std::string text;
  for (const Json& event : events) {
    EXPECT_EQ(event["object"], "text_completion");
    for (const Json& choice : event["choices"]) text += choice["text"].get<std::string>();
  }
  EXPECT_EQ(text, "xA red circle.");
  EXPECT_EQ(events[events.size() - 2]["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(events.back()["usage"]["completion_tokens"], ids_of("A red circle.").size());
}

TEST(Completions, BadRequests) {
  TestServer server;
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "missing_required"},
      {R"({"prompt":null})", "invalid_type"},
      {R"({"prompt":5})", "invalid_type"},
      {R"({"prompt":""})", "invalid_value"},
      {R"({"prompt":[]})", "invalid_value"},
      {R"({"prompt":[[]]})", "invalid_value"},
      {R"({"prompt":[5,"a"]})", "invalid_type"},
      {R"({"prompt":["a",5]})", "invalid_type"},
      {R"({"prompt":[-1]})", "invalid_value"},
      {R"({"prompt":[2080]})", "invalid_value"},
      {R"({"prompt":[1.5]})", "invalid_type"},
      {R"({"prompt":["a","a","a","a","a","a","a","a","a"]})", "too_many"},
      {R"({"prompt":"a","suffix":"b"})", "unsupported"},
      {R"({"prompt":"a","logprobs":21})", "invalid_value"},
      {R"({"prompt":"a","logprobs":true})", "invalid_type"},
      {R"({"prompt":"a","logprobs":1,"echo":true})", "unsupported"},
      {R"({"prompt":"a","n":9})", "invalid_value"},
      {R"({"prompt":"a","best_of":2})", "unsupported"},
      {R"({"prompt":"a","temperature":3})", "invalid_value"},
      {R"({"prompt":"a","model":"nope"})", "model_not_found"},
  };
  for (const auto& [body, code] : cases) {
    const Reply reply = complete(server, body);
    EXPECT_EQ(reply.code(), code) << body;
    EXPECT_GE(reply.status, 400) << body;
    EXPECT_LT(reply.status, 500) << body;
  }
  const std::string words = R"({"prompt":")" + std::string(3 << 20, 'x') + "\"}";
  EXPECT_EQ(complete(server, words).code(), "context_length_exceeded");
  EXPECT_EQ(server.engine.submitted(), 0);
}

Json post_json(const TestServer& server, std::string_view path, std::string_view body) {
  const Reply reply = server.request(server.post(path, body));
  EXPECT_EQ(reply.status, 200) << path << " " << reply.body;
  return Json::parse(reply.body);
}

TEST(Tokenize, BothShapes) {
  TestServer server;
  const auto ids = ids_of("Hello <|im_end|>");
  const Json vllm = post_json(server, "/tokenize", R"({"model":"demo","prompt":"Hello <|im_end|>"})");
  EXPECT_EQ(vllm["tokens"], Json(ids));
  EXPECT_EQ(vllm["count"], ids.size());
  EXPECT_EQ(vllm["max_model_len"], 4096);
  EXPECT_TRUE(vllm["token_strs"].is_null());
  EXPECT_EQ(post_json(server, "/tokenize", R"({"prompt":"a","return_token_strs":true})")["token_strs"],
            Json::array({"a"}));
  EXPECT_EQ(post_json(server, "/tokenize", R"({"content":"Hello <|im_end|>"})"), Json({{"tokens", ids}}));
  EXPECT_EQ(post_json(server, "/tokenize", R"({"content":"<|im_end|>","parse_special":false})")["tokens"],
            Json(tiny_tokenizer().encode("<|im_end|>")));
  const Json pieces = post_json(server, "/tokenize", R"({"content":"a😀","with_pieces":true})")["tokens"];
  EXPECT_EQ(pieces[0]["piece"], "a");
  EXPECT_TRUE(pieces[1]["piece"].is_array());  // a part of a character
  const Json text = post_json(server, "/detokenize", Json({{"tokens", ids}}).dump());
  EXPECT_EQ(text["content"], "Hello <|im_end|>");
  EXPECT_EQ(text["prompt"], "Hello <|im_end|>");
}

TEST(Tokenize, ChatsAreWhatTheEngineGets) {
  TestServer server;
  const std::string png(kPng);
  const std::string body = R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":")" + png +
                           R"("},{"type":"video","video":[")" + std::string(kFrame) +
                           R"("]},{"type":"text","text":"?"}]}]})";
  EXPECT_EQ(server.chat(body).status, 200);
  const Prompt prompt = server.engine.last_prompt();
  EXPECT_EQ(post_json(server, "/tokenize", body)["tokens"], Json(prompt.token_ids));
  const Json counted = post_json(server, "/v1/chat/completions/input_tokens", body);
  EXPECT_EQ(counted["object"], "response.input_tokens");
  EXPECT_EQ(counted["input_tokens"], prompt.token_ids.size());
  EXPECT_EQ(counted["input_tokens_details"]["image_tokens"], prompt.visuals[0].grid.patches() / 4);
  EXPECT_EQ(counted["input_tokens_details"]["video_tokens"], prompt.visuals[1].grid.patches() / 4);
  EXPECT_EQ(server.engine.submitted(), 1);
}

TEST(Tokenize, Template) {
  TestServer server;
  EXPECT_EQ(post_json(server, "/apply-template", ask("{}").dump())["prompt"],
            "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(post_json(server, "/apply-template", ask(R"({"add_generation_prompt":false})").dump())["prompt"],
            "<|im_start|>user\nhi<|im_end|>\n");
}

TEST(Tokenize, BadRequests) {
  TestServer server;
  const auto code = [&](const char* path, std::string_view body) {
    return server.request(server.post(path, body)).code();
  };
  EXPECT_EQ(code("/tokenize", "{}"), "missing_required");
  EXPECT_EQ(code("/tokenize", R"({"prompt":5})"), "invalid_type");
  EXPECT_EQ(code("/tokenize", R"({"content":["a"]})"), "invalid_type");
  EXPECT_EQ(code("/tokenize", R"({"messages":5})"), "invalid_type");
  EXPECT_EQ(code("/tokenize", R"({"content":")" + std::string((4 << 20) + 1, ' ') + "\"}"), "body_too_large");
  EXPECT_EQ(code("/detokenize", "{}"), "missing_required");
  EXPECT_EQ(code("/detokenize", R"({"tokens":"x"})"), "invalid_type");
  EXPECT_EQ(code("/detokenize", R"({"tokens":[5000]})"), "invalid_value");
  EXPECT_EQ(code("/apply-template", "{}"), "missing_required");
  EXPECT_EQ(code("/v1/chat/completions/input_tokens", R"({"messages":[]})"), "invalid_value");
}

TEST(ServerInfo, PropsSlotsAndNoEmbeddings) {
  TestServer server;
  const Json props = Json::parse(server.get("/props").body);
  EXPECT_EQ(props["default_generation_settings"]["n_ctx"], 4096);
  EXPECT_EQ(props["modalities"]["vision"], true);
  EXPECT_EQ(props["total_slots"], 1);  // two models, one engine
  const Json slots = Json::parse(server.get("/slots").body);
  ASSERT_EQ(slots.size(), 1u);
  EXPECT_EQ(slots[0]["running"], 0);
  const Reply embeddings = server.request(server.post("/v1/embeddings", R"({"input":"a"})"));
  EXPECT_EQ(embeddings.status, 501);
  EXPECT_EQ(embeddings.code(), "not_implemented");
}

TEST(ServerInfo, EverythingNeedsTheKey) {
  ServerOptions options;
  options.api_key = "0123456789abcdef";
  TestServer server(options);
  for (const char* path : {"/v1/completions", "/completions", "/tokenize", "/v1/tokenize", "/detokenize",
                           "/apply-template", "/v1/chat/completions/input_tokens", "/v1/chat/completions/control",
                           "/v1/embeddings", "/embeddings", "/chat/completions"}) {
    EXPECT_EQ(server.request(server.post(path, "{}")).status, 401) << path;
  }
  for (const char* path : {"/props", "/slots", "/models", "/models/demo"})
    EXPECT_EQ(server.get(path).status, 401) << path;
}

}  // namespace
}  // namespace qvl
