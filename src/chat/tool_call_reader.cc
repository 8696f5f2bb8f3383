#include "chat/tool_call_reader.h"

#include <algorithm>

#include "base/json.h"
#include "chat/random_id.h"

namespace qvl {
namespace {

constexpr size_t kMaxHeadBytes = 1024;  // of the text before the arguments

// Walks over the head of a call; every step says false where the text ends or goes on differently.
class Head {
 public:
  explicit Head(std::string_view text) : text_(text) {}

  bool literal(std::string_view expected) {
    skip_space();
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  bool string(std::string& out) {
    skip_space();
    const size_t begin = at_;
    if (!literal("\"")) return false;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) at_ += text_[at_] == '\\';
    if (at_ >= text_.size()) return false;
    ++at_;
    try {
      out = parse_json(text_.substr(begin, at_ - begin), "tool call", ErrorKind::kInternal, "tool_call")
                .get<std::string>();
    } catch (const Error&) {
      return false;
    }
    return true;
  }
  size_t at() const { return at_; }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  std::string_view text_;
  size_t at_ = 0;
};

// Where the arguments' opening brace stands, once the head is complete.
std::optional<size_t> arguments_begin(std::string_view text, std::string& name) {
  Head head(text.substr(0, kMaxHeadBytes));
  const bool complete = head.literal("{") && head.literal("\"name\"") && head.literal(":") && head.string(name) &&
                        head.literal(",") && head.literal("\"arguments\"") && head.literal(":") && head.literal("{");
  if (!complete || name.empty()) return std::nullopt;
  return head.at() - 1;
}

}  // namespace

void ToolCallReader::push_streaming(std::string_view text, std::vector<AnswerToolCall>& out) {
  size_t begin = text_.size();
  text_ += text;
  if (!begun_) {
    std::string name;
    if (begin > kMaxHeadBytes) return;
    const auto found = arguments_begin(text_, name);
    if (!found) return;
    begun_ = true;
    begin = *found;
    out.push_back({random_id("call_"), std::move(name), ""});
  }
  scan(begin, out);
}

void ToolCallReader::scan(size_t begin, std::vector<AnswerToolCall>& out) {
  size_t at = begin;
  for (; at < text_.size() && !done_; ++at) {
    const char c = text_[at];
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      done_ = --depth_ == 0;
    }
  }
  if (at > begin) out.push_back({"", "", text_.substr(begin, at - begin)});
}

std::optional<AnswerToolCall> ToolCallReader::whole() const {
  AnswerToolCall call;
  try {
    const Json json = parse_json(text_, "tool call", ErrorKind::kInternal, "tool_call");
    if (!json.is_object() || !json.contains("name") || !json["name"].is_string()) return std::nullopt;
    call.name = json["name"].get<std::string>();
    const auto arguments = json.find("arguments");
    if (arguments == json.end()) {
      call.arguments = "{}";
    } else if (arguments->is_string()) {
      call.arguments = arguments->get<std::string>();
    } else if (arguments->is_object()) {
      // Spaced as the template prints it: sent back by the client, it gives the same tokens.
      call.arguments = dump_json_python(*arguments);
    } else {
      return std::nullopt;
    }
  } catch (const Error&) {
    return std::nullopt;
  }
  if (call.name.empty()) return std::nullopt;
  call.id = random_id("call_");
  return call;
}

}  // namespace qvl
