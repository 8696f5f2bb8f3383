#include "serve/anthropic_request.h"

#include "serve/fields.h"
#include "serve/translation.h"

namespace qvl {
namespace {

constexpr int64_t kMaxInt32 = 2147483647;
constexpr size_t kMaxMessages = 4096, kMaxBlocks = 256, kMaxTools = 128, kMaxExtraBytes = 64 * 1024;

// A block's own fields, once its type is known.
struct Block {
  Json& json;
  std::string path, type;
  Fields fields() const { return Fields(json, path); }
  std::string take_string(const char* name) const {
    const auto found = json.find(name);
    if (found == json.end()) missing_required(path + "." + name);
    if (!found->is_string()) invalid_type(path + "." + name, "a string", *found);
    return std::move(found->get_ref<std::string&>());
  }
};

// Calls use(Block) for each block of a content that is an array; one text block where it is a string.
template <typename Use>
void for_each_block(Json& content, const std::string& path, const Use& use) {
  if (content.is_string()) {
    Json text = {{"type", "text"}, {"text", std::move(content)}};
    return use(Block{text, path, "text"});
  }
  if (!content.is_array()) invalid_type(path, "a string or an array of blocks", content);
  if (content.size() > kMaxBlocks) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("{}: expected at most {} blocks, found {}", path, kMaxBlocks, content.size()), path);
  }
  for (size_t i = 0; i < content.size(); ++i) {
    const std::string block_path = fmt::format("{}[{}]", path, i);
    if (!content[i].is_object()) invalid_type(block_path, "an object", content[i]);
    const auto type = Fields(content[i], block_path).string("type", kMaxExtraBytes);
    if (!type) missing_required(block_path + ".type");
    use(Block{content[i], block_path, *type});
  }
}

[[noreturn]] void refuse_block(const Block& block, const char* expected) {
  if (block.type == "document") {
    unsupported(block.path, "documents are not read; send a PDF's pages as image blocks, text as text blocks");
  }
  throw Error(ErrorKind::kInvalidRequest, "unsupported_content_type",
              fmt::format("{}: expected a block of type {}, found \"{}\"", block.path, expected, printable(block.type)),
              block.path);
}

class Reader {
 public:
  Reader()
      : out_({{"stop[", "stop_sequences["},
              {"stop", "stop_sequences"},
              {"enable_thinking", "thinking.type"},
              {"thinking_token_budget", "thinking.budget_tokens"},
              {".function.parameters", ".input_schema"},
              {".function", ""},
              {"parallel_tool_calls", "tool_choice.disable_parallel_tool_use"},
              {"response_format.json_schema", "output_config.format"},
              {"response_format", "output_config.format"},
              {"reasoning_effort", "output_config.effort"}}) {}

  AnthropicRequest read(Json& json, const ModelRegistry& models, bool counting) {
    const Fields fields(json);
    sampling(fields, counting);
    thinking(fields);
    tools(fields);
    output_config(fields);
    for (const char* name : {"mcp_servers", "container", "context_management"}) {
      if (fields.has(name)) unsupported(name, "not supported by this server");
    }
    if (fields.has("system")) system(json["system"]);
    messages(json);
    OpenAiChatRequest read = out_.read(models);
    return {std::move(read.chat), read.stream};
  }

 private:
  void sampling(const Fields& fields, bool counting) {
    const auto model = fields.string("model", kMaxExtraBytes);
    if (!model) missing_required("model");
    out_.request["model"] = *model;
    max_tokens_ = fields.integer("max_tokens", 1, kMaxInt32);
    if (!max_tokens_ && !counting) missing_required("max_tokens");
    if (max_tokens_) out_.request["max_tokens"] = *max_tokens_;
    fields.number("temperature", 0, 1);
    for (const char* name : {"temperature", "top_p", "top_k"}) {
      if (const Json* value = fields.find(name)) out_.request[name] = *value;
    }
    fields.integer("top_k", 0, kMaxInt32);
    if (const Json* stops = fields.array("stop_sequences", 16); stops && !stops->empty()) out_.request["stop"] = *stops;
    if (const auto stream = fields.boolean("stream")) out_.request["stream"] = *stream;
    if (const Json* metadata = fields.object("metadata")) out_.request["metadata"] = *metadata;
  }

  void thinking(const Fields& fields) {
    const Json* object = fields.object("thinking");
    if (!object) return;
    const Fields thinking(*object, "thinking");
    const auto type = thinking.string("type");
    if (!type) missing_required("thinking.type");
    if (*type == "disabled") {
      out_.request["enable_thinking"] = false;
    } else if (*type == "enabled") {
      const auto budget = thinking.integer("budget_tokens", 1, kMaxInt32);
      if (!budget) missing_required("thinking.budget_tokens");
      if (max_tokens_ && *budget >= *max_tokens_) {
        invalid_value("thinking.budget_tokens", fmt::format("expected less than max_tokens = {}", *max_tokens_));
      }
      out_.request["enable_thinking"] = true;
      out_.request["thinking_token_budget"] = *budget;
    } else if (*type != "adaptive") {
      invalid_value("thinking.type", "expected enabled, disabled or adaptive");
    }
  }

  void tools(const Fields& fields) {
    if (const Json* tools = fields.array("tools", kMaxTools); tools && !tools->empty()) {
      Json list = Json::array();
      for (size_t i = 0; i < tools->size(); ++i) list.push_back(tool((*tools)[i], fmt::format("tools[{}]", i)));
      out_.request["tools"] = std::move(list);
    }
    const Json* object = fields.object("tool_choice");
    if (!object) return;
    const Fields choice(*object, "tool_choice");
    const auto type = choice.string("type");
    if (!type) missing_required("tool_choice.type");
    if (*type == "any") {
      out_.request["tool_choice"] = "required";
    } else if (*type == "tool") {
      const auto name = choice.string("name");
      if (!name) missing_required("tool_choice.name");
      out_.request["tool_choice"] = {{"type", "function"}, {"function", {{"name", *name}}}};
    } else if (*type == "auto" || *type == "none") {
      out_.request["tool_choice"] = *type;
    } else {
      invalid_value("tool_choice.type", "expected auto, any, tool or none");
    }
    if (choice.boolean("disable_parallel_tool_use").value_or(false)) out_.request["parallel_tool_calls"] = false;
  }

  static Json tool(const Json& tool, const std::string& path) {
    if (!tool.is_object()) invalid_type(path, "an object", tool);
    const Fields fields(tool, path);
    if (const auto type = fields.string("type"); type && *type != "custom") {
      unsupported(path + ".type",
                  fmt::format("expected custom, found \"{}\": this server has no tools of its own", printable(*type)));
    }
    const auto name = fields.string("name", 256);
    if (!name) missing_required(path + ".name");
    Json function = {{"name", *name}};
    if (const auto description = fields.string("description")) function["description"] = *description;
    const Json* schema = fields.object("input_schema");
    if (!schema) missing_required(path + ".input_schema");
    function["parameters"] = *schema;
    if (const auto strict = fields.boolean("strict")) function["strict"] = *strict;
    return {{"type", "function"}, {"function", std::move(function)}};
  }

  void output_config(const Fields& fields) {
    const Json* object = fields.object("output_config");
    if (!object) return;
    const Fields config(*object, "output_config");
    if (const auto effort = config.string("effort")) out_.request["reasoning_effort"] = *effort;
    const Json* format = config.object("format");
    if (!format) return;
    const Fields entry(*format, "output_config.format");
    if (entry.string("type").value_or("") != "json_schema") {
      invalid_value("output_config.format.type", "expected json_schema");
    }
    if (!entry.object("schema")) missing_required("output_config.format.schema");
    out_.request["response_format"] = {
        {"type", "json_schema"},
        {"json_schema", {{"name", "answer"}, {"schema", *entry.find("schema")}, {"strict", true}}}};
  }

  void system(Json& system) {
    out_.add_message("system", "system");
    for_each_block(system, "system", [&](const Block& block) {
      if (block.type != "text") refuse_block(block, "text");
      out_.add_text(block.take_string("text"), block.path);
    });
  }

  void messages(Json& json) {
    const Fields fields(json);
    fields.require("messages");
    Json& list = json["messages"];
    if (!list.is_array()) invalid_type("messages", "an array", list);
    if (list.empty()) invalid_value("messages", "expected at least one message");
    fields.array("messages", kMaxMessages);
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string path = fmt::format("messages[{}]", i);
      if (!list[i].is_object()) invalid_type(path, "an object", list[i]);
      const Fields message(list[i], path);
      const auto role = message.string("role", kMaxExtraBytes);
      if (!role) missing_required(path + ".role");
      message.require("content");
      if (*role == "user") {
        user(list[i]["content"], path);
      } else if (*role == "assistant") {
        if (i + 1 == list.size()) {
          unsupported(path, "an answer whose beginning is given is not supported; end with a message of the user");
        }
        assistant(list[i]["content"], path);
      } else {
        invalid_value(path + ".role", fmt::format("expected user or assistant, found \"{}\"", printable(*role)));
      }
    }
  }

  // Results of tools are messages of their own to the templates.
  void user(Json& content, const std::string& path) {
    bool open = false;
    for_each_block(content, path + ".content", [&](const Block& block) {
      if (block.type == "tool_result") {
        open = false;
        return tool_result(block, path);
      }
      if (!open) out_.add_message("user", path);
      open = true;
      user_part(block);
    });
  }

  void user_part(const Block& block) {
    if (block.type == "text") return out_.add_text(block.take_string("text"), block.path);
    if (block.type != "image") refuse_block(block, "text, image or tool_result");
    out_.add_part({{"type", "image_url"}, {"image_url", picture(block)}}, block.path + ".source");
  }

  static std::string picture(const Block& block) {
    const auto found = block.json.find("source");
    const std::string path = block.path + ".source";
    if (found == block.json.end()) missing_required(path);
    if (!found->is_object()) invalid_type(path, "an object", *found);
    const Fields fields(*found, path);
    const auto type = fields.string("type", kMaxExtraBytes);
    if (!type) missing_required(path + ".type");
    const Block source{*found, path, *type};
    if (*type == "url") return source.take_string("url");
    if (*type == "file") unsupported(path, "this server stores no files; send base64");
    if (*type != "base64") invalid_value(path + ".type", "expected base64 or url");
    const auto media_type = fields.string("media_type", 100);
    if (!media_type) missing_required(path + ".media_type");
    if (!media_type->starts_with("image/") || media_type->find_first_of(",;") != std::string::npos) {
      invalid_value(path + ".media_type",
                    fmt::format("expected a type such as image/png, found \"{}\"", printable(*media_type)));
    }
    return source.take_string("data").insert(0, fmt::format("data:{};base64,", *media_type));
  }

  void tool_result(const Block& block, const std::string& message_path) {
    const auto id = block.fields().string("tool_use_id", 256);
    if (!id) missing_required(block.path + ".tool_use_id");
    out_.add_message("tool", message_path)["tool_call_id"] = *id;
    // The templates know no failed results: it is said in words.
    if (block.fields().boolean("is_error").value_or(false)) out_.add_text("Error: ", block.path);
    if (!block.fields().has("content")) return;
    for_each_block(block.json["content"], block.path + ".content", [&](const Block& part) { user_part(part); });
  }

  void assistant(Json& content, const std::string& path) {
    Json& message = out_.add_message("assistant", path);
    std::string thoughts;
    Json calls = Json::array();
    for_each_block(content, path + ".content", [&](const Block& block) {
      if (block.type == "text") {
        out_.add_text(block.take_string("text"), block.path);
      } else if (block.type == "thinking") {
        thoughts += block.take_string("thinking");
      } else if (block.type == "tool_use") {
        calls.push_back(tool_use(block));
      } else if (block.type != "redacted_thinking") {
        refuse_block(block, "text, thinking or tool_use");
      }
    });
    if (!thoughts.empty()) message["reasoning_content"] = std::move(thoughts);
    if (!calls.empty()) message["tool_calls"] = std::move(calls);
  }

  static Json tool_use(const Block& block) {
    const Fields fields = block.fields();
    const auto id = fields.string("id", 256), name = fields.string("name", 256);
    if (!id) missing_required(block.path + ".id");
    if (!name) missing_required(block.path + ".name");
    const Json* input = fields.object("input");
    if (!input) missing_required(block.path + ".input");
    return {{"id", *id}, {"type", "function"}, {"function", {{"name", *name}, {"arguments", *input}}}};
  }

  Translation out_;
  std::optional<int64_t> max_tokens_;
};

}  // namespace

AnthropicRequest read_anthropic(Json& json, const ModelRegistry& models, bool counting) {
  return Reader().read(json, models, counting);
}

}  // namespace qvl
