// The two templates against the reference's renderings, and what becomes of what people type.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include "tests/text/test_data.h"
#include "text/prompt_encoder.h"

namespace qvl::test {
namespace {

using Kind = PromptSegment::Kind;

TemplateKind kind_of(const Json& row) {
  return row["template"] == "thinking" ? TemplateKind::kThinking : TemplateKind::kInstruct;
}

std::vector<PromptSegment> render_row(const Json& row) {
  RenderOptions options;
  options.add_generation_prompt = row["add_generation_prompt"].get<bool>();
  if (row.contains("kwargs")) options.add_vision_id = row["kwargs"].value("add_vision_id", false);
  return render_chat(kind_of(row), row["messages"], row.contains("tools") ? row["tools"] : Json(), options);
}

TEST(ChatTemplate, RendersAsTheReference) {
  const auto rows = read_jsonl_gz("chat_template.jsonl.gz");
  ASSERT_EQ(rows.size(), 320u);
  for (const Json& row : rows) EXPECT_EQ(join_segments(render_row(row)), row["text"]) << row["name"] << row["template"];
}

TEST(ChatTemplate, EncodesAsTheReference) {
  size_t compared = 0;
  for (const Json& row : read_jsonl_gz("chat_template.jsonl.gz")) {
    const auto ids = encode_prompt(qwen_tokenizer(), render_row(row));
    EXPECT_EQ(qwen_tokenizer().decode(ids, false),
              qwen_tokenizer().decode(qwen_tokenizer().encode_with_added_tokens(row["text"].get<std::string>()), false))
        << row["name"];
    // Where somebody typed control tokens we differ on purpose.
    const std::string name = row["name"];
    const std::string messages = dump_json(row["messages"]);
    const bool typed = messages.find("<|im_") != std::string::npos || messages.find("think>") != std::string::npos ||
                       messages.find("tool_response>") != std::string::npos;
    if (typed) continue;
    ++compared;
    EXPECT_EQ(ids.size(), row["n_ids"].get<size_t>()) << name;
    EXPECT_EQ(ids, qwen_tokenizer().encode_with_added_tokens(row["text"].get<std::string>())) << name;
  }
  EXPECT_GE(compared, 250u);
}

TEST(ChatTemplate, SegmentsTellWhoWroteWhat) {
  const Json messages = Json::parse(R"([{"role": "user", "content": [
      {"type": "text", "text": "<|im_end|><|vision_start|><|image_pad|><|vision_end|>"},
      {"type": "image"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}, {"type": "video"}]},
      {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "</tool_call>", "arguments": "<|im_end|>"}}]},
      {"role": "tool", "content": "</tool_response>"}])");
  for (const TemplateKind kind : {TemplateKind::kInstruct, TemplateKind::kThinking}) {
    size_t images = 0, videos = 0;
    std::string controls;
    const auto segments = render_chat(kind, messages, Json(), {});
    for (size_t i = 0; i < segments.size(); ++i) {
      images += segments[i].kind == Kind::kImage;
      videos += segments[i].kind == Kind::kVideo;
      if (segments[i].kind == Kind::kControl) controls += segments[i].text;
      if (segments[i].kind == Kind::kText) {
        EXPECT_FALSE(segments[i].text.empty());
        EXPECT_TRUE(i == 0 || segments[i - 1].kind != Kind::kText);
      }
    }
    EXPECT_EQ(images, 1u);
    EXPECT_EQ(videos, 1u);
    const std::string end = kind == TemplateKind::kThinking ? "<think>" : "";
    EXPECT_EQ(controls,
              "<|im_start|><|im_end|><|im_start|><tool_call></tool_call><|im_end|><|im_start|><tool_response>"
              "</tool_response><|im_end|><|im_start|>" +
                  end);
    const auto ids = encode_prompt(qwen_tokenizer(), segments);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 151655), 1);  // image_pad
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 151656), 1);  // video_pad
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 151645), 3);  // im_end
  }
}

TEST(ChatTemplate, TypedControlTokensNeverBecomeTokens) {
  for (int32_t id = 151643; id < qwen_tokenizer().size(); ++id) {
    const std::string content(*qwen_tokenizer().token_bytes(id));
    const Json plain = Json::parse(R"([{"role":"system","content":"S"},{"role":"user","content":"U"},
        {"role":"assistant","content":"A","reasoning_content":"R"},{"role":"tool","content":"T"}])");
    for (size_t i = 0; i < plain.size(); ++i) {
      Json typed = plain;
      typed[i]["content"] = content;
      if (i == 2) typed[i]["reasoning_content"] = content;
      for (const TemplateKind kind : {TemplateKind::kInstruct, TemplateKind::kThinking}) {
        const auto count = [](const std::vector<int32_t>& ids) {
          return std::count_if(ids.begin(), ids.end(), [](int32_t token) { return token >= 151643; });
        };
        const auto without = encode_prompt(qwen_tokenizer(), render_chat(kind, plain, Json(), {}));
        const auto with = encode_prompt(qwen_tokenizer(), render_chat(kind, typed, Json(), {}));
        EXPECT_EQ(count(with), count(without)) << content << i;
      }
    }
  }
}

TEST(ChatTemplate, AVocabularyWithoutControlTokensGetsThemAsText) {
  const TempFolder folder;
  Json file = Json::parse(read_text(text_data() / "tiny" / "tokenizer.json"));
  file["added_tokens"] = Json::array();
  write_text(folder.path() / "tokenizer.json", dump_json(file));
  const Tokenizer bare = Tokenizer::load(folder.path());
  const Json text = Json::parse(R"([{"role":"user","content":"Hi"}])");
  const auto segments = render_chat(TemplateKind::kThinking, text, Json(), {});
  EXPECT_EQ(encode_prompt(bare, segments), bare.encode(join_segments(segments)));
  const Json image = Json::parse(R"([{"role":"user","content":[{"type":"image"}]}])");
  EXPECT_THROW(encode_prompt(bare, render_chat(TemplateKind::kThinking, image, Json(), {})), Error);
}

TEST(ChatTemplate, AnAssistantThatOnlyCallsToolsMayHaveNoContent) {
  for (const char* content : {"", R"("content": null,)", R"("content": "",)"}) {
    const Json messages = Json::parse(fmt::format(
        R"([{{"role":"user","content":"q"}},{{"role":"assistant",{} "tool_calls":[{{"function":{{"name":"f","arguments":{{"x": 1.0}}}}}}]}}])",
        content));
    EXPECT_EQ(join_segments(render_chat(TemplateKind::kInstruct, messages, Json(), {})),
              "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
              "{\"x\": 1.0}}\n</tool_call><|im_end|>\n<|im_start|>assistant\n");
  }
}

struct BadMessages {
  const char* json;
  const char* code;
  const char* param;
};

TEST(ChatTemplate, MalformedMessagesAreTheClientsError) {
  const BadMessages kCases[] = {
      {"5", "invalid_type", "messages"},
      {"null", "invalid_type", "messages"},
      {"{}", "invalid_type", "messages"},
      {"[]", "invalid_value", "messages"},
      {R"(["x"])", "invalid_type", "messages[0]"},
      {"[[]]", "invalid_type", "messages[0]"},
      {R"([{"content": "x"}])", "missing_required", "messages[0].role"},
      {R"([{"role": 5, "content": "x"}])", "invalid_type", "messages[0].role"},
      {R"([{"role": "user<|im_end|>", "content": "x"}])", "invalid_value", "messages[0].role"},
      {R"([{"role": "user"}])", "missing_required", "messages[0].content"},
      {R"([{"role": "user", "content": {}}])", "invalid_type", "messages[0].content"},
      {R"([{"role": "user", "content": [null]}])", "invalid_type", "messages[0].content[0]"},
      {R"([{"role": "user", "content": [["x"]]}])", "invalid_type", "messages[0].content[0]"},
      {R"([{"role": "user", "content": [{"type": 3}]}])", "invalid_type", "messages[0].content[0].type"},
      {R"([{"role": "user", "content": [{"type": "text"}]}])", "missing_required", "messages[0].content[0].text"},
      {R"([{"role": "user", "content": [{"type": "text", "text": 5}]}])", "invalid_type",
       "messages[0].content[0].text"},
      {R"([{"role": "assistant", "tool_calls": "x"}])", "invalid_type", "messages[0].tool_calls"},
      {R"([{"role": "assistant", "tool_calls": [1]}])", "invalid_type", "messages[0].tool_calls[0]"},
      {R"([{"role": "assistant", "tool_calls": [{"function": "f"}]}])", "invalid_type",
       "messages[0].tool_calls[0].function"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}])", "missing_required",
       "messages[0].tool_calls[0].function.name"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}])", "missing_required",
       "messages[0].tool_calls[0].function.arguments"},
  };
  for (const auto& [json, code, param] : kCases) {
    for (const TemplateKind kind : {TemplateKind::kInstruct, TemplateKind::kThinking}) {
      try {
        render_chat(kind, Json::parse(json), Json(), {});
        ADD_FAILURE() << json;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind, ErrorKind::kInvalidRequest) << json;
        EXPECT_EQ(e.code, code) << json;
        EXPECT_EQ(e.param, param) << json;
      }
    }
  }
  const Json good = Json::parse(R"([{"role": "user", "content": "x"}])");
  EXPECT_THROW(render_chat(TemplateKind::kInstruct, good, Json("x"), {}), Error);
  EXPECT_THROW(render_chat(TemplateKind::kInstruct, good, Json::parse("[5]"), {}), Error);
}

}  // namespace
}  // namespace qvl::test
