// The JSON inside of <tool_call>...</tool_call>, whole or in pieces. Pure state, no threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

// A call, or a piece of one: id and name come once, with the first piece; arguments are to be joined.
struct AnswerToolCall {
  std::string id;  // "call_..."; empty: more arguments of the call before
  std::string name;
  std::string arguments;  // JSON text
};

class ToolCallReader {
 public:
  // Adds to `out` what a client may see now: nothing before name and opening brace of the arguments are there, then the
  // arguments as they come, up to the brace that closes them.
  void push_streaming(std::string_view text, std::vector<AnswerToolCall>& out);
  void push(std::string_view text) { text_ += text; }

  bool begun() const { return begun_; }  // push_streaming() gave a first piece
  const std::string& text() const { return text_; }
  // The call as a whole; nullopt where it is not {"name": string, "arguments": object or string or absent}.
  std::optional<AnswerToolCall> whole() const;
  void clear() { *this = ToolCallReader(); }

 private:
  void scan(size_t begin, std::vector<AnswerToolCall>& out);

  std::string text_;
  bool begun_ = false, done_ = false;
  int depth_ = 0;
  bool in_string_ = false, escaped_ = false;
};

}  // namespace qvl
