#include "serve/openai_request.h"

#include "serve/fields.h"
#include "serve/openai_grammar.h"
#include "serve/openai_messages.h"
#include "serve/openai_parts.h"
#include "serve/openai_sampling.h"
#include "serve/openai_thinking.h"

namespace qvl {
namespace {

constexpr size_t kMaxTools = 128, kMaxToolBytes = 1 << 20, kMaxExtraBytes = 64 * 1024;

void read_logprobs(const Fields& fields, SamplingRequest& sampling) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top && !wanted) invalid_value("top_logprobs", "expected \"logprobs\": true beside it");
  if (wanted) sampling.logprobs = static_cast<int>(top.value_or(0));
}

void read_tools(const Fields& fields, ChatInput& input) {
  const Json* tools = fields.array("tools", kMaxTools);
  for (size_t i = 0; tools && i < tools->size(); ++i) {
    const std::string path = fmt::format("tools[{}]", i);
    const Json& tool = (*tools)[i];
    if (!tool.is_object()) invalid_type(path, "an object", tool);
    const Fields entry(tool, path);
    const auto type = entry.string("type");
    if (type.value_or("function") != "function") invalid_value(path + ".type", "expected \"function\"");
    const Json* function = entry.object("function");
    if (!function) missing_required(path + ".function");
    if (!Fields(*function, path + ".function").string("name", 256)) missing_required(path + ".function.name");
  }
  if (tools && dump_json(*tools).size() > kMaxToolBytes) too_large("tools", kMaxToolBytes);
  if (tools && !tools->empty()) input.tools = *tools;
}

void read_truncation(const Fields& fields, ChatRequest& chat) {
  const auto truncation = fields.string("truncation", kMaxExtraBytes);
  if (truncation && *truncation != "auto" && *truncation != "disabled") invalid_value("truncation", "expected auto or disabled");
  chat.truncate = truncation == "auto";
}

void read_template_kwargs(const Fields& fields, ChatInput& input) {
  const Json* kwargs = fields.object("chat_template_kwargs");
  if (!kwargs) return;
  if (dump_json(*kwargs).size() > kMaxExtraBytes) too_large("chat_template_kwargs", kMaxExtraBytes);
  const Fields entry(*kwargs, "chat_template_kwargs");
  for (const auto& [key, value] : kwargs->items()) {
    if (key == "add_vision_id") {
      input.render.add_vision_id = entry.boolean("add_vision_id").value_or(false);
    } else if (key != "enable_thinking") {
      unsupported("chat_template_kwargs",
                  fmt::format("expected add_vision_id or enable_thinking, found \"{}\"", printable(key)));
    }
  }
}

// Fields of chats alone that would change the answer.
void refuse_unsupported_chat(const Fields& fields) {
  for (const char* name : {"image_embeds", "images", "chat_template", "guided_regex",
                           "guided_choice", "guided_grammar", "structured_outputs", "json_schema", "functions",
                           "function_call", "audio", "documents", "web_search_options"}) {
    if (fields.has(name)) unsupported(name, "not supported by this server");
  }
  if (fields.boolean("add_generation_prompt") == false || fields.boolean("continue_final_message") == true) {
    unsupported(fields.has("continue_final_message") ? "continue_final_message" : "add_generation_prompt",
                "an answer always begins a turn of its own");
  }
  if (const auto format = fields.string("reasoning_format"); format && *format != "auto" && *format != "deepseek") {
    unsupported("reasoning_format", "expected auto or deepseek: the reasoning has a field of its own");
  }
  if (const Json* modalities = fields.array("modalities"); modalities && *modalities != Json::array({"text"})) {
    unsupported("modalities", "expected [\"text\"]: this model only writes");
  }
}

}  // namespace

const ServedModel& named_model(const Fields& fields, const ModelRegistry& models) {
  const auto id = fields.string("model", kMaxExtraBytes);
  return id ? models.find(*id) : models.default_model();
}

OpenAiPrompt read_openai_prompt(Json& json, const ModelRegistry& models) {
  const Fields fields(json);
  OpenAiPrompt out;
  const ServedModel& named = named_model(fields, models);
  fields.require("messages");
  ThinkingRequest thinking = read_thinking(fields);
  out.model = &model_for(thinking, named, models);
  out.thinking_budget = thinking.budget;
  read_tools(fields, out.input);
  read_template_kwargs(fields, out.input);
  read_messages(json["messages"], out.input);
  read_media_kwargs(json, out.input);
  return out;
}

OpenAiChatRequest read_openai_chat(Json& json, const ModelRegistry& models) {
  const Fields fields(json);
  OpenAiChatRequest out;
  refuse_unsupported(fields);
  refuse_unsupported_chat(fields);
  check_annotations(fields);
  const StreamRequest stream = read_stream(fields);
  out.stream = stream.stream;
  out.format = {false, stream.usage, fields.boolean("include_reasoning").value_or(true)};
  out.reasoning_control = fields.boolean("reasoning_control").value_or(false);
  const int vocab_size = named_model(fields, models).config.text.vocab_size;
  read_sampling(fields, vocab_size, out.chat.sampling, out.chat.stop);
  read_logprobs(fields, out.chat.sampling);
  out.format.logprobs = out.chat.sampling.logprobs >= 0;
  out.n = read_n(fields);
  out.chat.stream_tool_calls = out.stream;
  out.chat.single_tool_call = fields.boolean("parallel_tool_calls") == false;
  OpenAiPrompt prompt = read_openai_prompt(json, models);
  out.chat.model = prompt.model;
  out.chat.input = std::move(prompt.input);
  out.chat.sampling.thinking_token_budget = prompt.thinking_budget;
  read_answer_grammar(fields, out.chat);
  read_truncation(fields, out.chat);
  return out;
}

}  // namespace qvl
