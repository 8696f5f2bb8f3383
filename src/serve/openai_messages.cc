#include "serve/openai_messages.h"

#include <unordered_set>

#include "serve/fields.h"
#include "serve/openai_parts.h"

namespace qvl {
namespace {

constexpr size_t kMaxToolCalls = 128, kMaxNameBytes = 256;

class Reader {
 public:
  Reader(ChatInput& input, const MessageLimits& limits) : input_(input), limits_(limits) {}

  void message(Json& message, size_t index) {
    path_ = fmt::format("messages[{}]", index);
    if (!message.is_object()) invalid_type(path_, "an object", message);
    const Fields fields(message, path_);
    fields.require("role");
    const Json& role = message["role"];
    if (!role.is_string()) invalid_type(path_ + ".role", "a string", role);
    role_ = role.get<std::string>();
    if (role_ == "developer") role_ = "system";
    if (role_ != "system" && role_ != "user" && role_ != "assistant" && role_ != "tool") {
      invalid_value(path_ + ".role",
                    fmt::format("expected system, developer, user, assistant or tool, found \"{}\"", printable(role_)));
    }
    Json out = {{"role", role_}};
    out["content"] = content(message);
    if (role_ == "assistant") assistant_fields(message, fields, out);
    if (role_ == "tool") tool_fields(fields, out);
    input_.messages.push_back(std::move(out));
  }

 private:
  void count_text(const std::string& text) {
    text_bytes_ += text.size();
    if (text_bytes_ > limits_.max_text_bytes) {
      throw Error(ErrorKind::kTooLarge, "body_too_large",
                  fmt::format("the messages' text is longer than {} bytes", limits_.max_text_bytes), "messages");
    }
  }

  Json content(Json& message) {
    const auto found = message.find("content");
    const std::string path = path_ + ".content";
    if (found == message.end() || found->is_null()) {
      if (role_ == "assistant" && (Fields(message).has("tool_calls") || Fields(message).has("reasoning_content") ||
                                   Fields(message).has("reasoning"))) {
        return "";
      }
      if (found == message.end()) missing_required(path);
      invalid_type(path, "a string or an array of parts", *found);
    }
    if (found->is_string()) {
      count_text(found->get_ref<const std::string&>());
      return std::move(*found);
    }
    if (!found->is_array()) invalid_type(path, "a string or an array of parts", *found);
    if (found->size() > limits_.max_parts) {
      throw Error(ErrorKind::kInvalidRequest, "too_many",
                  fmt::format("{}: expected at most {} parts, found {}", path, limits_.max_parts, found->size()), path);
    }
    Json parts = Json::array();
    for (size_t i = 0; i < found->size(); ++i) parts.push_back(part((*found)[i], fmt::format("{}[{}]", path, i)));
    return parts;
  }

  Json part(Json& part, const std::string& path) {
    if (!part.is_object()) invalid_type(path, "an object", part);
    const std::string type = part_type(part, path);
    if (type == "text" || type == "input_text") {
      const Fields fields(part, path);
      fields.require("text");
      if (!part["text"].is_string()) invalid_type(path + ".text", "a string", part["text"]);
      count_text(part["text"].get_ref<const std::string&>());
      return {{"type", "text"}, {"text", std::move(part["text"])}};
    }
    const auto kind = media_kind(type, path);
    if (role_ == "system" || role_ == "assistant") {
      unsupported_content(path, fmt::format("pictures belong to user and tool messages, not to {} ones", role_));
    }
    if (kind == MediaKind::kPicture) {
      count_media(input_.pictures.size(), limits_.max_pictures, "pictures", path);
      input_.pictures.push_back(read_picture_part(part, path));
      return {{"type", "image"}};
    }
    count_media(input_.videos.size(), limits_.max_videos, "videos", path);
    input_.videos.push_back(read_video_part(part, path, limits_.max_frames));
    return {{"type", "video"}};
  }

  static void count_media(size_t count, size_t limit, const char* what, const std::string& path) {
    if (count < limit) return;
    throw Error(ErrorKind::kInvalidRequest, "too_many", fmt::format("expected at most {} {} in a request", limit, what),
                path);
  }

  void assistant_fields(Json& message, const Fields& fields, Json& out) {
    auto reasoning = fields.string("reasoning_content");
    if (!reasoning) reasoning = fields.string("reasoning");
    if (reasoning) {
      count_text(*reasoning);
      out["reasoning_content"] = std::move(*reasoning);
    }
    if (!fields.array("tool_calls", kMaxToolCalls)) return;
    Json calls = Json::array();
    for (size_t i = 0; i < message["tool_calls"].size(); ++i) {
      calls.push_back(tool_call(message["tool_calls"][i], fmt::format("{}.tool_calls[{}]", path_, i)));
    }
    if (!calls.empty()) out["tool_calls"] = std::move(calls);
  }

  Json tool_call(const Json& call, const std::string& path) {
    if (!call.is_object()) invalid_type(path, "an object", call);
    const Fields fields(call, path);
    if (const auto id = fields.string("id", kMaxNameBytes)) call_ids_.insert(*id);
    const Json* function = fields.object("function");
    if (!function) missing_required(path + ".function");
    const Fields inner(*function, path + ".function");
    const auto name = inner.string("name", kMaxNameBytes);
    if (!name) missing_required(path + ".function.name");
    Json arguments = inner.has("arguments") ? *inner.find("arguments") : Json("{}");
    if (!arguments.is_string() && !arguments.is_object()) {
      invalid_type(path + ".function.arguments", "a string with JSON", arguments);
    }
    count_text(arguments.is_string() ? arguments.get_ref<const std::string&>() : dump_json(arguments));
    return {{"type", "function"}, {"function", {{"name", *name}, {"arguments", std::move(arguments)}}}};
  }

  void tool_fields(const Fields& fields, Json& out) {
    const auto id = fields.string("tool_call_id", kMaxNameBytes);
    if (!id) missing_required(path_ + ".tool_call_id");
    if (!call_ids_.contains(*id)) {
      invalid_value(path_ + ".tool_call_id",
                    fmt::format("no earlier message calls a tool with the id \"{}\"", printable(*id)));
    }
    out["tool_call_id"] = *id;
  }

  ChatInput& input_;
  const MessageLimits& limits_;
  std::string path_, role_;  // of the current message
  std::unordered_set<std::string> call_ids_;
  size_t text_bytes_ = 0;
};

}  // namespace

void read_messages(Json& messages, ChatInput& input, const MessageLimits& limits) {
  if (!messages.is_array()) invalid_type("messages", "an array", messages);
  if (messages.empty()) invalid_value("messages", "expected at least one message");
  if (messages.size() > limits.max_messages) {
    throw Error(ErrorKind::kInvalidRequest, "too_many",
                fmt::format("expected at most {} messages, found {}", limits.max_messages, messages.size()),
                "messages");
  }
  input.messages = Json::array();
  Reader reader(input, limits);
  for (size_t i = 0; i < messages.size(); ++i) reader.message(messages[i], i);
}

}  // namespace qvl
