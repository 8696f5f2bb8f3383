#include "serve/responses_request.h"

#include "serve/fields.h"
#include "serve/translation.h"

namespace qvl {
namespace {

constexpr size_t kMaxItems = 4096, kMaxParts = 256, kMaxTools = 128, kMaxExtraBytes = 64 * 1024;

class Reader {
 public:
  Reader()
      : out_({{"max_tokens", "max_output_tokens"},
              {"reasoning_effort", "reasoning.effort"},
              {"response_format.json_schema", "text.format"},
              {"response_format", "text.format"},
              {".function", ""},
              {"messages", "input"}}) {}

  ResponsesRequest read(Json& json, const ModelRegistry& models) {
    const Fields fields(json);
    refuse_stored(fields);
    for (const char* name :
         {"model", "temperature", "top_p", "stream", "metadata", "user", "seed", "parallel_tool_calls"}) {
      if (const Json* value = fields.find(name)) out_.request[name] = *value;
    }
    if (const Json* limit = fields.find("max_output_tokens")) out_.request["max_tokens"] = *limit;
    reasoning(fields);
    text_format(fields);
    logprobs(fields);
    tools(fields);
    tool_choice(fields);
    fields.boolean("store");
    fields.object("stream_options");
    ResponsesRequest read;
    read.echo = echo(fields);
    if (const auto instructions = fields.string("instructions")) {
      out_.add_message("system", "instructions");
      out_.add_text(*instructions, "instructions");
    }
    input(json);
    OpenAiChatRequest chat = out_.read(models);
    read.chat = std::move(chat.chat);
    read.stream = chat.stream;
    return read;
  }

 private:
  static void refuse_stored(const Fields& fields) {
    for (const char* name : {"previous_response_id", "conversation"}) {
      if (fields.has(name)) unsupported(name, "this server stores no responses; send the whole conversation as input");
    }
    if (fields.has("prompt")) unsupported("prompt", "this server stores no prompts; send instructions and input");
    if (fields.boolean("background").value_or(false)) {
      unsupported("background", "this server stores no responses; use stream for long ones");
    }
    if (const auto truncation = fields.string("truncation"); truncation && *truncation != "disabled") {
      unsupported("truncation", "expected disabled");
    }
    for (const char* name : {"max_tool_calls", "context_management"}) {
      if (fields.has(name)) unsupported(name, "not supported by this server");
    }
  }

  void reasoning(const Fields& fields) {
    const Json* object = fields.object("reasoning");
    if (!object) return;
    const Fields reasoning(*object, "reasoning");
    if (const auto effort = reasoning.string("effort")) out_.request["reasoning_effort"] = *effort;
    for (const char* name : {"summary", "generate_summary"}) reasoning.string(name);  // the whole text is given anyway
  }

  void text_format(const Fields& fields) {
    const Json* object = fields.object("text");
    if (!object) return;
    const Fields text(*object, "text");
    if (const auto verbosity = text.string("verbosity"); verbosity && *verbosity != "medium") {
      unsupported("text.verbosity",
                  "the models know no degrees of it; ask for short or long answers in the instructions");
    }
    const Json* format = text.object("format");
    if (!format) return;
    const Fields entry(*format, "text.format");
    const auto type = entry.string("type");
    if (!type) missing_required("text.format.type");
    Json openai = {{"type", *type}};
    if (*type == "json_schema") {
      if (!entry.has("name")) missing_required("text.format.name");
      Json schema = Json::object();
      for (const char* name : {"name", "description", "schema", "strict"}) {
        if (const Json* value = entry.find(name)) schema[name] = *value;
      }
      openai["json_schema"] = std::move(schema);
    }
    out_.request["response_format"] = std::move(openai);
  }

  void logprobs(const Fields& fields) {
    if (const Json* include = fields.array("include", 32)) {
      for (const Json& entry : *include) {
        if (!entry.is_string()) invalid_type("include", "an array of strings", entry);
        if (entry == "message.output_text.logprobs") {
          logprobs_ = true;
        } else if (entry != "reasoning.encrypted_content" && entry != "message.input_image.image_url") {
          unsupported("include", fmt::format("this server has no \"{}\"", printable(entry.get<std::string>())));
        }
      }
    }
    const auto top = fields.integer("top_logprobs", 0, 20);
    logprobs_ |= top.value_or(0) > 0;
    if (!logprobs_) return;
    out_.request["logprobs"] = true;
    if (top) out_.request["top_logprobs"] = *top;
  }

  void tools(const Fields& fields) {
    const Json* tools = fields.array("tools", kMaxTools);
    if (!tools || tools->empty()) return;
    Json list = Json::array();
    for (size_t i = 0; i < tools->size(); ++i) {
      const std::string path = fmt::format("tools[{}]", i);
      const Json& tool = (*tools)[i];
      if (!tool.is_object()) invalid_type(path, "an object", tool);
      const Fields entry(tool, path);
      const auto type = entry.string("type", kMaxExtraBytes);
      if (!type) missing_required(path + ".type");
      if (*type != "function") {
        unsupported(path + ".type", fmt::format("expected function, found \"{}\": this server has no tools of its own",
                                                printable(*type)));
      }
      if (!entry.string("name", 256)) missing_required(path + ".name");
      Json function = Json::object();
      for (const char* name : {"name", "description", "parameters", "strict"}) {
        if (const Json* value = entry.find(name)) function[name] = *value;
      }
      list.push_back({{"type", "function"}, {"function", std::move(function)}});
    }
    out_.request["tools"] = std::move(list);
  }

  void tool_choice(const Fields& fields) {
    const Json* choice = fields.find("tool_choice");
    if (!choice) return;
    if (!choice->is_object()) {
      out_.request["tool_choice"] = *choice;
      return;
    }
    const Fields entry(*choice, "tool_choice");
    const auto type = entry.string("type", kMaxExtraBytes);
    if (!type) missing_required("tool_choice.type");
    if (*type != "function") unsupported("tool_choice.type", "expected function");
    const auto name = entry.string("name", 256);
    if (!name) missing_required("tool_choice.name");
    out_.request["tool_choice"] = {{"type", "function"}, {"function", {{"name", *name}}}};
  }

  static Json echo(const Fields& fields) {
    const auto or_default = [&](const char* name, Json value) {
      const Json* sent = fields.find(name);
      return sent ? *sent : value;
    };
    return {{"background", false},
            {"instructions", or_default("instructions", nullptr)},
            {"max_output_tokens", or_default("max_output_tokens", nullptr)},
            {"metadata", or_default("metadata", Json::object())},
            {"parallel_tool_calls", or_default("parallel_tool_calls", true)},
            {"previous_response_id", nullptr},
            {"reasoning", or_default("reasoning", {{"effort", nullptr}, {"summary", nullptr}})},
            {"store", false},
            {"temperature", or_default("temperature", nullptr)},
            {"text", or_default("text", {{"format", {{"type", "text"}}}})},
            {"tool_choice", or_default("tool_choice", "auto")},
            {"tools", or_default("tools", Json::array())},
            {"top_logprobs", or_default("top_logprobs", 0)},
            {"top_p", or_default("top_p", nullptr)},
            {"truncation", "disabled"},
            {"user", or_default("user", nullptr)}};
  }

  void input(Json& json) {
    Fields(json).require("input");
    Json& input = json["input"];
    if (input.is_string()) {
      out_.add_message("user", "input");
      return out_.add_text(std::move(input.get_ref<std::string&>()), "input");
    }
    if (!input.is_array()) invalid_type("input", "a string or an array of items", input);
    if (input.empty()) invalid_value("input", "expected at least one item");
    Fields(json).array("input", kMaxItems);
    for (size_t i = 0; i < input.size(); ++i) item(input[i], fmt::format("input[{}]", i));
    if (!out_.has_messages()) invalid_value("input", "expected at least one message");
  }

  void item(Json& item, const std::string& path) {
    if (!item.is_object()) invalid_type(path, "an object", item);
    const Fields fields(item, path);
    const auto type = fields.string("type", kMaxExtraBytes);
    if (!type && !fields.has("role")) missing_required(path + ".type");
    if (!type || *type == "message") return message(item, fields, path);
    if (*type == "function_call") return function_call(fields, path);
    if (*type == "function_call_output") return function_call_output(item, fields, path);
    if (*type == "reasoning") return;
    if (*type == "item_reference") unsupported(path, "this server stores no items; send the item itself");
    unsupported(path + ".type",
                fmt::format("expected message, function_call, function_call_output or reasoning, found \"{}\"",
                            printable(*type)));
  }

  void message(Json& item, const Fields& fields, const std::string& path) {
    const auto role = fields.string("role", kMaxExtraBytes);
    if (!role) missing_required(path + ".role");
    if (*role != "user" && *role != "system" && *role != "developer" && *role != "assistant") {
      invalid_value(path + ".role",
                    fmt::format("expected user, system, developer or assistant, found \"{}\"", printable(*role)));
    }
    fields.require("content");
    out_.add_message(role->c_str(), path);
    parts(item["content"], path + ".content");
  }

  // The parts of the last message.
  void parts(Json& content, const std::string& path) {
    if (content.is_string()) return out_.add_text(std::move(content.get_ref<std::string&>()), path);
    if (!content.is_array()) invalid_type(path, "a string or an array of parts", content);
    if (content.size() > kMaxParts) {
      throw Error(ErrorKind::kInvalidRequest, "too_many",
                  fmt::format("{}: expected at most {} parts, found {}", path, kMaxParts, content.size()), path);
    }
    for (size_t i = 0; i < content.size(); ++i) part(content[i], fmt::format("{}[{}]", path, i));
  }

  void part(Json& part, const std::string& path) {
    if (!part.is_object()) invalid_type(path, "an object", part);
    const Fields fields(part, path);
    const auto type = fields.string("type", kMaxExtraBytes);
    if (!type) missing_required(path + ".type");
    const bool refusal = *type == "refusal";
    if (*type == "input_text" || *type == "output_text" || *type == "text" || refusal) {
      const char* name = refusal ? "refusal" : "text";
      const auto text = fields.string(name);
      if (!text) missing_required(path + "." + name);
      return out_.add_text(*text, path);
    }
    if (*type == "input_file") unsupported(path, "files are not read; send a PDF's pages as input_image parts");
    if (*type != "input_image") {
      throw Error(
          ErrorKind::kInvalidRequest, "unsupported_content_type",
          fmt::format("{}: expected a part of type input_text or input_image, found \"{}\"", path, printable(*type)),
          path);
    }
    out_.add_part(std::move(part), path);  // OpenAI's chat reads this spelling too
  }

  // Calls that follow each other, or the text before them, are one message to the templates.
  void function_call(const Fields& fields, const std::string& path) {
    const auto id = fields.string("call_id", 256), name = fields.string("name", 256),
               arguments = fields.string("arguments");
    if (!id) missing_required(path + ".call_id");
    if (!name) missing_required(path + ".name");
    if (!arguments) missing_required(path + ".arguments");
    const bool joins = out_.has_messages() && out_.last_message()["role"] == "assistant";
    Json& message = joins ? out_.last_message() : out_.add_message("assistant", path);
    if (!message.contains("tool_calls")) message["tool_calls"] = Json::array();
    message["tool_calls"].push_back(
        {{"id", *id}, {"type", "function"}, {"function", {{"name", *name}, {"arguments", *arguments}}}});
  }

  void function_call_output(Json& item, const Fields& fields, const std::string& path) {
    const auto id = fields.string("call_id", 256);
    if (!id) missing_required(path + ".call_id");
    fields.require("output");
    out_.add_message("tool", path)["tool_call_id"] = *id;
    parts(item["output"], path + ".output");
  }

  Translation out_;
  bool logprobs_ = false;
};

}  // namespace

ResponsesRequest read_responses(Json& json, const ModelRegistry& models) { return Reader().read(json, models); }

}  // namespace qvl
