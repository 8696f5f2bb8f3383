#include "chat/chat_service.h"

#include <gtest/gtest.h>

#include "tests/chat/tiny_model.h"

namespace qvl {
namespace {

using std::chrono::microseconds;

class ChatServiceTest : public testing::Test {
 protected:
  const ServedModel& add(TemplateKind kind, GenerationConfig generation = {}) {
    ServedModel model = tiny_model(kind == TemplateKind::kThinking ? "demo-thinking" : "demo", kind, engine_);
    model.generation = std::move(generation);
    return models_.add(std::move(model));
  }
  static ChatRequest ask(const ServedModel& model, std::string text) {
    ChatRequest request;
    request.model = &model;
    request.input.messages = Json::array({{{"role", "user"}, {"content", std::move(text)}}});
    return request;
  }
  static std::pair<ChatDelta, AnswerOutcome> run(const ChatRequest& request) {
    const auto stream = start_chat(request);
    ChatDelta all;
    while (true) {
      DeltaStream::Item item = stream->next();
      all.reasoning += item.delta.reasoning;
      all.content += item.delta.content;
      for (auto& call : item.delta.tool_calls) all.tool_calls.push_back(std::move(call));
      if (item.outcome) return {all, *item.outcome};
      EXPECT_FALSE(item.delta.empty());
    }
  }
  static std::string code_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      return error.code;
    }
    return "none";
  }

  FakeEngine engine_{4096};
  ModelRegistry models_;
};

TEST_F(ChatServiceTest, AnswersAndEnds) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("A blue square.")});
  const auto [all, outcome] = run(ask(model, "What is it?"));
  EXPECT_EQ(all.content, "A blue square.");
  EXPECT_EQ(outcome.end, AnswerEnd::kStop);
  EXPECT_EQ(outcome.stats.completion_tokens, static_cast<int64_t>(ids_of("A blue square.").size()));
  EXPECT_EQ(tiny_tokenizer().decode(engine_.last_prompt().token_ids, false),
            "<|im_start|>user\nWhat is it?<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(ChatServiceTest, StopStringCancelsTheEngine) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("again END "), .token_time = microseconds(200), .endless = true});
  ChatRequest request = ask(model, "x");
  request.stop = {"END"};
  const auto [all, outcome] = run(request);
  EXPECT_EQ(all.content, "again ");
  EXPECT_EQ(outcome.end, AnswerEnd::kStop);
  EXPECT_EQ(engine_.cancelled(), 1);
}

TEST_F(ChatServiceTest, EndsAreTold) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("on and on "), .endless = true});
  ChatRequest request = ask(model, "x");
  request.sampling.max_tokens = 7;
  EXPECT_EQ(run(request).second.end, AnswerEnd::kLength);
  engine_.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  const auto outcome = run(ask(model, "x")).second;
  EXPECT_EQ(outcome.end, AnswerEnd::kError);
  EXPECT_EQ(outcome.error->code, "nan_logits");
  engine_.set_script({.ids = ids_of("<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>")});
  ChatRequest tools = ask(model, "x");
  tools.input.tools =
      parse_json(R"([{"type":"function","function":{"name":"f"}}])", "tools", ErrorKind::kInternal, "t");
  EXPECT_EQ(run(tools).second.end, AnswerEnd::kToolCalls);
}

TEST_F(ChatServiceTest, DefaultsOfTheKinds) {
  const auto instruct = sampling_defaults(TemplateKind::kInstruct, {});
  EXPECT_DOUBLE_EQ(instruct.temperature, 0.7);
  EXPECT_DOUBLE_EQ(instruct.presence_penalty, 1.5);
  EXPECT_EQ(instruct.top_k, 20);
  GenerationConfig given;
  given.temperature = 0.3;
  EXPECT_DOUBLE_EQ(sampling_defaults(TemplateKind::kThinking, given).temperature, 0.3);
  EXPECT_DOUBLE_EQ(sampling_defaults(TemplateKind::kThinking, given).top_p, 0.95);
  given.do_sample = false;
  EXPECT_DOUBLE_EQ(sampling_defaults(TemplateKind::kInstruct, given).temperature, 0);
  EXPECT_DOUBLE_EQ(sampling_defaults(TemplateKind::kInstruct, given).presence_penalty, 0);
}

TEST_F(ChatServiceTest, SamplingOfARequest) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  SamplingRequest request;
  EXPECT_FLOAT_EQ(make_sampling(model, request, 100).presence_penalty, 1.5f);
  EXPECT_EQ(make_sampling(model, request, 100).max_tokens, 4096 - 100);
  request.temperature = 0;
  EXPECT_FLOAT_EQ(make_sampling(model, request, 100).presence_penalty, 0.0f);
  request.presence_penalty = 0.5;
  EXPECT_FLOAT_EQ(make_sampling(model, request, 100).presence_penalty, 0.5f);
  request.top_k = 1 << 30;
  request.max_tokens = 2147483647;
  const SamplingParams params = make_sampling(model, request, 4000);
  EXPECT_EQ(params.top_k, 2080);
  EXPECT_EQ(params.max_tokens, 96);
  EXPECT_FALSE(params.thinking.has_value());
  request.top_k = -1;
  EXPECT_EQ(make_sampling(model, request, 10).top_k, 0);
}

TEST_F(ChatServiceTest, ThinkingKeepsTokensForTheAnswer) {
  const ServedModel& model = add(TemplateKind::kThinking);
  SamplingRequest request;
  const auto reserve = [&](int64_t max_tokens) {
    request.max_tokens = max_tokens;
    return make_sampling(model, request, 10).thinking->answer_reserve_tokens;
  };
  EXPECT_EQ(reserve(1), 0);
  EXPECT_EQ(reserve(10), 5);
  EXPECT_EQ(reserve(40), 16);
  EXPECT_EQ(reserve(400), 100);
  EXPECT_EQ(reserve(4000), 1000);
  request.thinking_token_budget = 33;
  const auto thinking = make_sampling(model, request, 10).thinking;
  EXPECT_EQ(thinking->max_thinking_tokens, 33);
  EXPECT_EQ(thinking->end_token_id, added_id("</think>"));
  EXPECT_EQ(tiny_tokenizer().decode(thinking->forced_ids, false), "\n</think>\n\n");
}

TEST_F(ChatServiceTest, PicturesBecomeVisuals) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("ok")});
  ChatRequest request = ask(model, "");
  request.input.messages[0]["content"] =
      Json::array({{{"type", "image"}}, {{"type", "image"}}, {{"type", "text"}, {"text", "?"}}});
  request.input.pictures.resize(2);
  request.input.pictures[0].source = "data:image/png;base64," + std::string(kPng);
  request.input.pictures[1].source = kPng;
  run(request);
  const Prompt prompt = engine_.last_prompt();
  ASSERT_EQ(prompt.visuals.size(), 2u);
  EXPECT_EQ(prompt.visuals[0].content_hash, prompt.visuals[1].content_hash);
  EXPECT_EQ(prompt.visuals[0].patches, prompt.visuals[1].patches);  // decoded once
  EXPECT_EQ(prompt.visuals[0].patches->size(), static_cast<size_t>(prompt.visuals[0].grid.patches() * 1536));
  // A larger minimum gives another grid.
  request.input.pictures[1].min_pixels = 40000;
  run(request);
  EXPECT_GT(engine_.last_prompt().visuals[1].grid.patches(), prompt.visuals[1].grid.patches());
}

TEST_F(ChatServiceTest, KnownPicturesAreNotDecodedAgain) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("ok")});
  ChatRequest request = ask(model, "");
  request.input.messages[0]["content"] = Json::array({{{"type", "image"}}, {{"type", "text"}, {"text", "?"}}});
  request.input.pictures.resize(1);
  request.input.pictures[0].source = kPng;
  request.input.pictures[0].uuid = "a";
  run(request);
  const Prompt first = engine_.last_prompt();
  ASSERT_NE(first.visuals[0].patches, nullptr);
  EXPECT_TRUE(first.visuals[0].pinned);
  engine_.know_pictures();
  run(request);
  EXPECT_EQ(engine_.last_prompt().visuals[0].patches, nullptr);
  EXPECT_EQ(engine_.last_prompt().visuals[0].content_hash, first.visuals[0].content_hash);
  EXPECT_EQ(engine_.last_prompt().token_ids, first.token_ids);
  // Another size of it is another picture.
  ChatRequest larger = request;
  larger.input.pictures[0].min_pixels = 40000;
  run(larger);
  EXPECT_NE(engine_.last_prompt().visuals[0].patches, nullptr);
  // Forgotten in between: sent once more with everything.
  engine_.forget_pictures();
  EXPECT_EQ(run(request).second.end, AnswerEnd::kStop);
  EXPECT_NE(engine_.last_prompt().visuals[0].patches, nullptr);
}

TEST_F(ChatServiceTest, PictureSources) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  engine_.set_script({.ids = ids_of("ok")});
  const auto code = [&](std::string source) {
    ChatRequest request = ask(model, "");
    request.input.messages[0]["content"] = Json::array({{{"type", "image"}}});
    request.input.pictures.resize(1);
    request.input.pictures[0].source = std::move(source);
    return code_of([&] { run(request); });
  };
  EXPECT_EQ(code(std::string(kPng)), "none");
  EXPECT_EQ(code("data:image;base64," + std::string(kPng)), "none");
  EXPECT_EQ(code("DATA:image/jpeg;base64," + std::string(kPng)), "none");
  EXPECT_EQ(code("http://127.0.0.1/a.png"), "remote_media_disabled");
  EXPECT_EQ(code("HTTPS://example.com/a.png"), "remote_media_disabled");
  for (const char* url : {"ftp://a/b", "gopher://a", "javascript:alert(1)", "file:///etc/passwd"}) {
    EXPECT_EQ(code(url), "url_scheme_not_allowed") << url;
  }
  EXPECT_EQ(code("/tmp/picture.png"), "invalid_base64");
  EXPECT_EQ(code("data:;base64,"), "image_empty");
  EXPECT_EQ(code("AAAA"), "image_format_unknown");
  EXPECT_EQ(code(std::string(kPng.substr(0, 80))), "image_decode_failed");
}

TEST_F(ChatServiceTest, ContextIsCheckedBeforeDecoding) {
  FakeEngine small(64);
  ServedModel model = tiny_model("small", TemplateKind::kInstruct, small);
  model.processor.image = {1 << 20, 1 << 24};
  const ServedModel& served = models_.add(std::move(model));
  ChatRequest request = ask(served, "");
  request.input.messages[0]["content"] = Json::array({{{"type", "image"}}});
  request.input.pictures.resize(1);
  request.input.pictures[0].source = kPng;
  EXPECT_EQ(code_of([&] { run(request); }), "context_length_exceeded");
  EXPECT_EQ(code_of([&] { run(ask(served, std::string(1 << 20, 'x'))); }), "context_length_exceeded");
  EXPECT_EQ(small.submitted(), 0);
}

TEST_F(ChatServiceTest, DetailSetsTheLimits) {
  ProcessorConfig processor;
  PictureInput picture;
  EXPECT_EQ(picture_limits(processor, picture).max_pixels, 16777216);
  picture.detail = Detail::kLow;
  EXPECT_EQ(picture_limits(processor, picture).max_pixels, 256 * 1024);
  picture.detail = Detail::kHigh;
  EXPECT_EQ(picture_limits(processor, picture).min_pixels, 1024 * 1024);
  picture.max_pixels = 4096;
  EXPECT_EQ(picture_limits(processor, picture).min_pixels, 4096);
  picture.min_pixels = 8192;
  EXPECT_EQ(code_of([&] { picture_limits(processor, picture); }), "invalid_value");
}

TEST_F(ChatServiceTest, AbandonedWorkEnds) {
  const ServedModel& model = add(TemplateKind::kInstruct);
  const std::atomic<bool> abandoned{true};
  EXPECT_EQ(code_of([&] { start_chat(ask(model, "x"), &abandoned); }), "abandoned");
  EXPECT_EQ(engine_.submitted(), 0);
}

TEST_F(ChatServiceTest, RegistryNamesWhatItServes) {
  add(TemplateKind::kInstruct);
  EXPECT_EQ(models_.default_model().id, "demo");
  EXPECT_EQ(models_.find("demo").id, "demo");
  try {
    models_.find_kind(TemplateKind::kThinking);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "model_not_found");
    EXPECT_NE(std::string(error.what()).find("demo"), std::string::npos);
  }
}

}  // namespace
}  // namespace qvl
