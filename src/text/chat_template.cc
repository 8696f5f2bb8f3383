#include "text/chat_template.h"

#include "text/message_reader.h"
#include "text/prompt_builder.h"

namespace qvl {
namespace {

using Role = Message::Role;

constexpr std::string_view kToolsBefore =
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function "
    "signatures within <tools></tools> XML tags:\n<tools>";
constexpr std::string_view kToolsAfter =
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
    "<tool_call></tool_call> XML tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": "
    "<args-json-object>}\n</tool_call><|im_end|>\n";

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "tool";
  }
  return "";
}

// Only the texts of the parts: how the Instruct template reads system and assistant messages.
Content texts_of(const Message& message) {
  Content out;
  for (const ContentPart& part : message.parts) {
    if (part.text) out.add_text(*part.text);
  }
  return out;
}

// One rendering of either template. The functions follow the templates' statements.
class Renderer {
 public:
  Renderer(TemplateKind kind, std::vector<Message> messages, const RenderOptions& options)
      : thinking_(kind == TemplateKind::kThinking), messages_(std::move(messages)), options_(options) {}

  std::vector<PromptSegment> render(const std::vector<std::string>& tools) {
    render_head(tools);
    if (thinking_) last_query_ = last_query_index();
    for (size_t i = 0; i < messages_.size(); ++i) render_message(i);
    if (options_.add_generation_prompt)
      out_.markup(thinking_ ? "<|im_start|>assistant\n<think>\n" : "<|im_start|>assistant\n");
    return out_.take();
  }

 private:
  // Text and media of a message. The numbers that add_vision_id shows are counted on only where `count` says so.
  Content media_content(const Message& message, bool count) {
    Content out;
    for (const ContentPart& part : message.parts) {
      if (part.kind == ContentPart::Kind::kImage) {
        if (count) ++images_;
        if (options_.add_vision_id) out.add_text(fmt::format("Picture {}: ", images_));
        out.add_image();
      } else if (part.kind == ContentPart::Kind::kVideo) {
        if (count) ++videos_;
        if (options_.add_vision_id) out.add_text(fmt::format("Video {}: ", videos_));
        out.add_video();
      } else if (part.text) {
        out.add_text(*part.text);
      }
    }
    return out;
  }

  void render_head(const std::vector<std::string>& tools) {
    const Message& first = messages_.front();
    const bool has_system = first.role == Role::kSystem;
    if (!has_system && tools.empty()) return;
    out_.markup("<|im_start|>system\n");
    if (has_system) out_.content(thinking_ ? media_content(first, false) : texts_of(first));
    if (tools.empty()) {
      out_.markup("<|im_end|>\n");
      return;
    }
    if (has_system) out_.markup("\n\n");
    out_.markup(kToolsBefore);
    for (const std::string& tool : tools) {
      out_.markup("\n");
      out_.text(tool);
    }
    out_.markup(kToolsAfter);
  }

  // The last message of a user that is not a tool's answer in disguise; the last message where there is none.
  size_t last_query_index() {
    for (size_t i = messages_.size(); i-- > 0;) {
      if (messages_[i].role != Role::kUser) continue;
      const Content content = media_content(messages_[i], false);
      if (!content.starts_with("<tool_response>") || !content.ends_with("</tool_response>")) return i;
    }
    return messages_.size() - 1;
  }

  void render_message(size_t index) {
    const Message& message = messages_[index];
    switch (message.role) {
      case Role::kUser:
        return render_turn(message);
      case Role::kSystem:
        if (!thinking_) return;  // the Instruct template knows a system message only in the first place
        if (index > 0) return render_turn(message);
        media_content(message, true);  // shown already, yet the template counts its media once more
        return;
      case Role::kAssistant:
        return thinking_ ? render_thinking_assistant(index) : render_assistant(message);
      case Role::kTool:
        return render_tool(index);
    }
  }

  void render_turn(const Message& message) {
    out_.markup("<|im_start|>");
    out_.markup(role_name(message.role));
    out_.markup("\n");
    out_.content(media_content(message, true));
    out_.markup("<|im_end|>\n");
  }

  void render_assistant(const Message& message) {
    out_.markup("<|im_start|>assistant\n");
    out_.content(texts_of(message));
    render_tool_calls(message, message.has_content);
    out_.markup("<|im_end|>\n");
  }

  void render_thinking_assistant(size_t index) {
    const Message& message = messages_[index];
    Content content = media_content(message, true);
    Content reasoning;
    if (message.reasoning) {
      reasoning.add_text(*message.reasoning);
    } else if (content.contains("</think>")) {
      reasoning =
          content.before_first("</think>").without_trailing_newlines().after_last("<think>").without_leading_newlines();
      content = content.after_last("</think>").without_leading_newlines();
    }
    const bool last = index + 1 == messages_.size();
    if (index > last_query_ && (last || !reasoning.empty())) {
      out_.markup("<|im_start|>assistant\n<think>\n");
      out_.content(reasoning.without_leading_newlines().without_trailing_newlines());
      out_.markup("\n</think>\n\n");
      out_.content(content.without_leading_newlines());
    } else {
      out_.markup("<|im_start|>assistant\n");
      out_.content(content);
    }
    render_tool_calls(message, !content.empty());
    out_.markup("<|im_end|>\n");
  }

  void render_tool_calls(const Message& message, bool after_content) {
    bool newline = after_content;
    for (const ToolCall& call : message.tool_calls) {
      if (newline) out_.markup("\n");
      newline = true;
      out_.markup("<tool_call>\n{\"name\": \"");
      out_.text(call.name);
      out_.markup("\", \"arguments\": ");
      out_.text(call.arguments);
      out_.markup("}\n</tool_call>");
    }
  }

  bool is_tool(size_t index) const { return index < messages_.size() && messages_[index].role == Role::kTool; }

  // Answers of tools that follow each other share one turn of the user.
  void render_tool(size_t index) {
    if (index == 0 || !is_tool(index - 1)) out_.markup("<|im_start|>user");
    out_.markup("\n<tool_response>\n");
    out_.content(media_content(messages_[index], true));
    out_.markup("\n</tool_response>");
    if (!is_tool(index + 1)) out_.markup("<|im_end|>\n");
  }

  bool thinking_;
  std::vector<Message> messages_;
  RenderOptions options_;
  PromptBuilder out_;
  size_t images_ = 0, videos_ = 0;
  size_t last_query_ = 0;
};

std::vector<std::string> read_tools(const Json& tools) {
  std::vector<std::string> lines;
  if (tools.is_null()) return lines;
  if (!tools.is_array()) {
    throw Error(ErrorKind::kInvalidRequest, "invalid_type",
                fmt::format("tools: expected a list, found {}", tools.type_name()), "tools");
  }
  for (const Json& tool : tools) {
    if (!tool.is_object()) {
      const std::string param = fmt::format("tools[{}]", lines.size());
      throw Error(ErrorKind::kInvalidRequest, "invalid_type",
                  fmt::format("{}: expected an object, found {}", param, tool.type_name()), param);
    }
    lines.push_back(dump_json_python(tool));
  }
  return lines;
}

}  // namespace

std::vector<PromptSegment> render_chat(TemplateKind kind, const Json& messages, const Json& tools,
                                       const RenderOptions& options) {
  return Renderer(kind, read_messages(messages), options).render(read_tools(tools));
}

std::string join_segments(const std::vector<PromptSegment>& segments) {
  std::string out;
  for (const PromptSegment& segment : segments) out += segment.text;
  return out;
}

}  // namespace qvl
