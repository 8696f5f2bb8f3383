#include "text/message_reader.h"

namespace qvl {
namespace {

[[noreturn]] void fail(const std::string& code, const std::string& param, const std::string& expected) {
  throw Error(ErrorKind::kInvalidRequest, code, fmt::format("{}: expected {}", param, expected), param);
}

// The member, or nullptr where it is missing or null.
const Json* member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

const std::string& require_string(const Json& object, const char* key, const std::string& param) {
  const Json* value = member(object, key);
  const std::string path = fmt::format("{}.{}", param, key);
  if (value == nullptr) fail("missing_required", path, "a string, found none");
  if (!value->is_string()) fail("invalid_type", path, fmt::format("a string, found {}", value->type_name()));
  return value->get_ref<const std::string&>();
}

ContentPart read_part(const Json& json, const std::string& param) {
  if (!json.is_object()) fail("invalid_type", param, fmt::format("an object, found {}", json.type_name()));
  std::string type;
  if (json.contains("type")) type = require_string(json, "type", param);
  ContentPart part;
  if (json.contains("text") || type == "text") part.text = require_string(json, "text", param);
  if (type == "image" || json.contains("image") || json.contains("image_url")) {
    part.kind = ContentPart::Kind::kImage;
  } else if (type == "video" || json.contains("video")) {
    part.kind = ContentPart::Kind::kVideo;
  } else if (part.text) {
    part.kind = ContentPart::Kind::kText;
  }
  return part;
}

void read_content(const Json& json, const std::string& param, Message& message) {
  const Json* content = member(json, "content");
  const std::string path = param + ".content";
  if (content == nullptr) {
    // An assistant that only calls tools, or whose answer was all thought, has none.
    if (message.role == Message::Role::kAssistant) return;
    fail("missing_required", path, "a string or a list of parts, found none");
  }
  if (content->is_string()) {
    message.parts.push_back({ContentPart::Kind::kText, content->get<std::string>()});
    message.has_content = !message.parts.front().text->empty();
  } else if (content->is_array()) {
    for (size_t i = 0; i < content->size(); ++i) {
      message.parts.push_back(read_part((*content)[i], fmt::format("{}[{}]", path, i)));
    }
    message.has_content = !content->empty();
  } else {
    fail("invalid_type", path, fmt::format("a string or a list of parts, found {}", content->type_name()));
  }
}

ToolCall read_tool_call(const Json& json, const std::string& param) {
  if (!json.is_object()) fail("invalid_type", param, fmt::format("an object, found {}", json.type_name()));
  const Json* call = &json;
  std::string path = param;
  if (const Json* function = member(json, "function")) {
    path += ".function";
    if (!function->is_object()) fail("invalid_type", path, fmt::format("an object, found {}", function->type_name()));
    // The templates look at an empty function as at none.
    if (!function->empty()) call = function;
  }
  const auto arguments = call->find("arguments");
  if (arguments == call->end()) fail("missing_required", path + ".arguments", "a string or an object, found none");
  return {require_string(*call, "name", path),
          arguments->is_string() ? arguments->get<std::string>() : dump_json_python(*arguments)};
}

Message::Role read_role(const Json& json, const std::string& param) {
  const std::string& role = require_string(json, "role", param);
  if (role == "system") return Message::Role::kSystem;
  if (role == "user") return Message::Role::kUser;
  if (role == "assistant") return Message::Role::kAssistant;
  if (role == "tool") return Message::Role::kTool;
  fail("invalid_value", param + ".role", fmt::format("system, user, assistant or tool, found \"{}\"", printable(role)));
}

Message read_message(const Json& json, const std::string& param) {
  if (!json.is_object()) fail("invalid_type", param, fmt::format("an object, found {}", json.type_name()));
  Message message;
  message.role = read_role(json, param);
  read_content(json, param, message);
  if (message.role != Message::Role::kAssistant) return message;
  // What is no string is no reasoning to the Thinking template, and the Instruct template knows none.
  const Json* reasoning = member(json, "reasoning_content");
  if (reasoning != nullptr && reasoning->is_string()) message.reasoning = reasoning->get<std::string>();
  if (const Json* calls = member(json, "tool_calls")) {
    const std::string path = param + ".tool_calls";
    if (!calls->is_array()) fail("invalid_type", path, fmt::format("a list, found {}", calls->type_name()));
    for (size_t i = 0; i < calls->size(); ++i) {
      message.tool_calls.push_back(read_tool_call((*calls)[i], fmt::format("{}[{}]", path, i)));
    }
  }
  return message;
}

}  // namespace

std::vector<Message> read_messages(const Json& json) {
  if (!json.is_array()) fail("invalid_type", "messages", fmt::format("a list, found {}", json.type_name()));
  if (json.empty()) fail("invalid_value", "messages", "at least one message, found none");
  std::vector<Message> messages;
  messages.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) messages.push_back(read_message(json[i], fmt::format("messages[{}]", i)));
  return messages;
}

}  // namespace qvl
