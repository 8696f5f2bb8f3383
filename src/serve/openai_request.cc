#include "serve/openai_request.h"

#include <charconv>

#include "media/preprocess.h"
#include "serve/fields.h"
#include "serve/openai_messages.h"

namespace qvl {
namespace {

constexpr int64_t kMaxInt32 = 2147483647;
constexpr size_t kMaxStops = 16, kMaxStopBytes = 256, kMaxTools = 128, kMaxToolBytes = 1 << 20,
                 kMaxExtraBytes = 64 * 1024;

[[noreturn]] void too_large(const std::string& param, size_t limit) {
  throw Error(ErrorKind::kInvalidRequest, "too_large", fmt::format("{}: expected at most {} bytes", param, limit),
              param);
}

// A number above zero: of 0 these knobs would have no meaning.
std::optional<double> positive(const Fields& fields, const char* name, double high) {
  const auto value = fields.number(name, 0, high);
  if (value && *value <= 0) invalid_value(name, fmt::format("expected a number above 0 and up to {}", high));
  return value;
}

std::optional<uint64_t> read_seed(const Fields& fields) {
  const Json* seed = fields.find("seed");
  if (!seed) return std::nullopt;
  if (seed->is_number_unsigned()) return seed->get<uint64_t>();
  const int64_t value = to_integer(*seed, "seed", -1, INT64_MAX);
  return value == -1 ? std::nullopt : std::optional(static_cast<uint64_t>(value));  // -1: random, as absent
}

void read_max_tokens(const Fields& fields, SamplingRequest& sampling) {
  const auto older = fields.integer("max_tokens", 1, kMaxInt32);
  const auto newer = fields.integer("max_completion_tokens", 1, kMaxInt32);
  if (older && newer && *older != *newer) {
    invalid_value("max_completion_tokens", fmt::format("differs from max_tokens: {} and {}", *newer, *older));
  }
  sampling.max_tokens = newer ? newer : older;
  sampling.min_tokens = fields.integer("min_tokens", 0, kMaxInt32).value_or(0);
  if (sampling.max_tokens && sampling.min_tokens > *sampling.max_tokens) {
    invalid_value("min_tokens", fmt::format("expected at most max_tokens = {}", *sampling.max_tokens));
  }
}

void read_logprobs(const Fields& fields, SamplingRequest& sampling) {
  const bool wanted = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top && !wanted) invalid_value("top_logprobs", "expected \"logprobs\": true beside it");
  if (wanted) sampling.logprobs = static_cast<int>(top.value_or(0));
}

void read_logit_bias(const Fields& fields, int vocab_size, SamplingRequest& sampling) {
  const Json* bias = fields.object("logit_bias");
  if (!bias) return;
  for (const auto& [key, value] : bias->items()) {
    int32_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0 || id >= vocab_size) {
      invalid_value("logit_bias", fmt::format("expected token ids from 0 to {} as keys, found \"{}\"", vocab_size - 1,
                                              printable(key)));
    }
    if (!value.is_number()) invalid_type("logit_bias." + key, "a number", value);
    const auto number = value.get<double>();
    if (!(number >= -100 && number <= 100)) invalid_value("logit_bias." + key, "expected a number from -100 to 100");
    sampling.logit_bias.emplace_back(id, static_cast<float>(number));
  }
}

void read_stop(const Fields& fields, int vocab_size, OpenAiChatRequest& out) {
  if (const Json* stop = fields.find("stop")) {
    const auto add = [&](const Json& text, const std::string& param) {
      if (!text.is_string()) invalid_type(param, "a string", text);
      const auto& value = text.get_ref<const std::string&>();
      if (value.size() > kMaxStopBytes) too_large(param, kMaxStopBytes);
      if (value.empty()) invalid_value(param, "expected text, found an empty string");
      out.chat.stop.push_back(value);
    };
    if (stop->is_string()) {
      add(*stop, "stop");
    } else if (stop->is_array()) {
      fields.array("stop", kMaxStops);
      for (size_t i = 0; i < stop->size(); ++i) add((*stop)[i], fmt::format("stop[{}]", i));
    } else {
      invalid_type("stop", "a string or an array of strings", *stop);
    }
  }
  if (const Json* ids = fields.array("stop_token_ids", 256)) {
    for (const Json& id : *ids) {
      out.chat.sampling.stop_token_ids.push_back(
          static_cast<int32_t>(to_integer(id, "stop_token_ids", 0, vocab_size - 1)));
    }
  }
}

void read_thinking(const Fields& fields, const ServedModel& model, SamplingRequest& sampling) {
  for (const char* name : {"thinking_token_budget", "thinking_budget"}) {
    const auto budget = fields.integer(name, -1, kMaxInt32);
    if (budget && *budget >= 0 && !sampling.thinking_token_budget) sampling.thinking_token_budget = budget;
  }
  bool off = false;
  if (const auto effort = fields.string("reasoning_effort")) {
    bool known = false;
    for (const char* value : {"none", "minimal", "low", "medium", "high", "xhigh"}) known |= *effort == value;
    if (!known) invalid_value("reasoning_effort", "expected none, minimal, low, medium, high or xhigh");
    off |= *effort == "none";  // the models know no degrees of effort
  }
  const auto read_switch = [&](const Fields& source) {
    const auto enabled = source.boolean("enable_thinking");
    off |= enabled == false;
    if (enabled == true && model.template_kind != TemplateKind::kThinking) {
      unsupported(source.path_of("enable_thinking"),
                  fmt::format("\"{}\" does not think; choose a Thinking model", model.id));
    }
  };
  read_switch(fields);
  if (const Json* kwargs = fields.object("chat_template_kwargs")) read_switch(Fields(*kwargs, "chat_template_kwargs"));
  if (off) sampling.thinking_token_budget = 0;
}

void read_sampling(const Fields& fields, const ServedModel& model, OpenAiChatRequest& out) {
  SamplingRequest& sampling = out.chat.sampling;
  sampling.temperature = fields.number("temperature", 0, 2);
  sampling.top_p = positive(fields, "top_p", 1);
  sampling.top_k = fields.integer("top_k", -1, kMaxInt32);
  sampling.min_p = fields.number("min_p", 0, 1);
  sampling.presence_penalty = fields.number("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.number("frequency_penalty", -2, 2);
  sampling.repetition_penalty = positive(fields, "repetition_penalty", 2);
  sampling.seed = read_seed(fields);
  sampling.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  read_max_tokens(fields, sampling);
  read_logprobs(fields, sampling);
  read_logit_bias(fields, model.config.text.vocab_size, sampling);
  read_stop(fields, model.config.text.vocab_size, out);
  read_thinking(fields, model, sampling);
  const auto n = fields.integer("n", 1, 8);
  if (n.value_or(1) != 1) unsupported("n", "more than one answer to a request is not supported yet");
}

void read_tools(const Fields& fields, ChatInput& input) {
  const Json* tools = fields.array("tools", kMaxTools);
  std::vector<std::string> names;
  for (size_t i = 0; tools && i < tools->size(); ++i) {
    const std::string path = fmt::format("tools[{}]", i);
    const Json& tool = (*tools)[i];
    if (!tool.is_object()) invalid_type(path, "an object", tool);
    const Fields entry(tool, path);
    const auto type = entry.string("type");
    if (type.value_or("function") != "function") invalid_value(path + ".type", "expected \"function\"");
    const Json* function = entry.object("function");
    if (!function) missing_required(path + ".function");
    const auto name = Fields(*function, path + ".function").string("name", 256);
    if (!name) missing_required(path + ".function.name");
    names.push_back(*name);
  }
  if (tools && dump_json(*tools).size() > kMaxToolBytes) too_large("tools", kMaxToolBytes);
  if (tools && !tools->empty()) input.tools = *tools;
  if (fields.boolean("parallel_tool_calls") == false && !names.empty()) {
    unsupported("parallel_tool_calls", "the model decides how many tools it calls; false is not supported");
  }
  const Json* choice = fields.find("tool_choice");
  if (!choice) return;
  if (choice->is_string()) {
    const auto& value = choice->get_ref<const std::string&>();
    if (value == "none") {
      input.tools = Json();
    } else if (value == "required") {
      names.empty() ? invalid_value("tool_choice", "expected tools beside it")
                    : unsupported("tool_choice", "only auto and none are supported yet");
    } else if (value != "auto") {
      invalid_value("tool_choice", "expected none, auto, required or a function");
    }
    return;
  }
  if (!choice->is_object()) invalid_type("tool_choice", "a string or an object", *choice);
  const Json* function = Fields(*choice, "tool_choice").object("function");
  if (!function) missing_required("tool_choice.function");
  const auto name = Fields(*function, "tool_choice.function").string("name");
  if (!name) missing_required("tool_choice.function.name");
  for (const std::string& known : names) {
    if (known == *name) unsupported("tool_choice", "only auto and none are supported yet");
  }
  invalid_value("tool_choice", fmt::format("no tool has the name \"{}\"", printable(*name)));
}

void read_response_format(const Fields& fields) {
  const Json* format = fields.object("response_format");
  if (!format) return;
  const Fields entry(*format, "response_format");
  const auto type = entry.string("type");
  if (!type) invalid_type("response_format.type", "text, json_object or json_schema", Json());
  if (*type == "text") return;
  if (*type == "json_schema") {
    const Json* schema = entry.object("json_schema");
    if (!schema || !Fields(*schema).has("schema")) missing_required("response_format.json_schema.schema");
  } else if (*type != "json_object") {
    invalid_value("response_format.type", "expected text, json_object or json_schema");
  }
  unsupported("response_format", "answers held to a schema are not supported yet; ask for JSON in the prompt");
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

void read_processor_kwargs(const Fields& fields, ChatInput& input) {
  const Json* kwargs = fields.object("mm_processor_kwargs");
  if (!kwargs) return;
  const Fields entry(*kwargs, "mm_processor_kwargs");
  auto min_pixels = entry.integer("min_pixels", 1, kMaxPixelBudget);
  auto max_pixels = entry.integer("max_pixels", 1, kMaxPixelBudget);
  if (const Json* size = entry.object("size")) {
    const Fields edges(*size, "mm_processor_kwargs.size");
    if (const auto edge = edges.integer("shortest_edge", 1, kMaxPixelBudget)) min_pixels = edge;
    if (const auto edge = edges.integer("longest_edge", 1, kMaxPixelBudget)) max_pixels = edge;
  }
  for (const auto& [key, value] : kwargs->items()) {
    const bool known = key == "min_pixels" || key == "max_pixels" || key == "size";
    if (!known) unsupported("mm_processor_kwargs." + printable(key), "expected min_pixels, max_pixels or size");
  }
  for (PictureInput& picture : input.pictures) {
    if (picture.min_pixels || picture.max_pixels) continue;
    picture.min_pixels = min_pixels;
    picture.max_pixels = max_pixels;
  }
}

// Fields that would change the answer: to ignore them would be to answer another question.
void refuse_unsupported(const Fields& fields) {
  for (const char* name : {"prompt_embeds", "image_embeds", "images", "chat_template", "grammar", "guided_json",
                           "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "json_schema",
                           "functions", "function_call", "media_io_kwargs", "audio"}) {
    if (fields.has(name)) unsupported(name, "not supported by this server");
  }
  if (const Json* best_of = fields.find("best_of"); best_of && *best_of != 1) {
    unsupported("best_of", "not supported by this server");
  }
}

void read_stream_options(const Fields& fields, OpenAiChatRequest& out) {
  out.stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.object("stream_options");
  if (!options) return;
  out.include_usage = Fields(*options, "stream_options").boolean("include_usage").value_or(false);
  if (!out.stream) invalid_value("stream_options", "expected \"stream\": true beside it");
}

}  // namespace

OpenAiChatRequest read_openai_chat(Json& json, const ModelRegistry& models) {
  const Fields fields(json);
  OpenAiChatRequest out;
  const auto model = fields.string("model", kMaxExtraBytes);
  out.chat.model = model ? &models.find(*model) : &models.default_model();
  fields.require("messages");
  refuse_unsupported(fields);
  read_stream_options(fields, out);
  read_sampling(fields, *out.chat.model, out);
  read_tools(fields, out.chat.input);
  read_response_format(fields);
  read_template_kwargs(fields, out.chat.input);
  fields.string("user", kMaxExtraBytes);
  if (const Json* metadata = fields.object("metadata"); metadata && dump_json(*metadata).size() > kMaxExtraBytes) {
    too_large("metadata", kMaxExtraBytes);
  }
  read_messages(json["messages"], out.chat.input);
  read_processor_kwargs(fields, out.chat.input);
  return out;
}

}  // namespace qvl
