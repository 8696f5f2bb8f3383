// A conversation as a client sends it, read field by field: what is missing or of a wrong type is the client's error.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace qvl {

struct ContentPart {
  enum class Kind { kText, kImage, kVideo, kNone };
  Kind kind = Kind::kNone;          // as the templates tell parts apart; kNone: nothing that they show
  std::optional<std::string> text;  // the part's text, whatever its kind
};

struct ToolCall {
  std::string name;
  std::string arguments;  // a string as it was sent, else its JSON in Python's form
};

struct Message {
  enum class Role { kSystem, kUser, kAssistant, kTool };
  Role role = Role::kUser;
  std::vector<ContentPart> parts;  // a content that is a string is one part of text
  bool has_content = false;        // the content is neither missing nor "" nor []
  std::optional<std::string> reasoning;
  std::vector<ToolCall> tool_calls;
};

// Errors: kInvalidRequest "missing_required", "invalid_type", "invalid_value", with the field as param.
std::vector<Message> read_messages(const Json& messages);

}  // namespace qvl
