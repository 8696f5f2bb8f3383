// Tokens of an answer -> reasoning, text and tool calls, as they come. No threads, no engine: a pure state machine.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "chat/tool_call_reader.h"
#include "engine/engine.h"
#include "text/tokenizer.h"

namespace qvl {

struct LogprobEntry {
  std::string bytes;  // of the token; not always UTF-8
  float logprob = 0;
  std::vector<std::pair<std::string, float>> top;  // bytes and log probability, best first
};

// What came since the last delta. Text is whole UTF-8 characters.
struct ChatDelta {
  std::string reasoning, content;
  std::vector<AnswerToolCall> tool_calls;
  std::vector<LogprobEntry> logprobs;  // of the answer's tokens, not of the reasoning's
  bool empty() const { return reasoning.empty() && content.empty() && tool_calls.empty() && logprobs.empty(); }
};
// Joins what came with what comes; pieces of a call become one.
void append(ChatDelta& all, ChatDelta&& delta);

struct AnswerOptions {
  bool starts_in_thinking = false;  // the prompt ends with <think>\n
  bool parse_tool_calls = false;    // the request offered tools
  bool stream_tool_calls = false;   // arguments come in pieces as the model writes them, not each call at its end
  bool single_tool_call = false;    // the answer ends with its first call
  bool plain = false;               // no markers: all of it is the answer's text
  bool logprobs = false;
  int64_t dropped_messages = 0;   // of the conversation, passed on to the outcome
  std::vector<std::string> stop;  // ends the answer where it would appear in its text; not searched in the reasoning
};

// <think>, </think>, <tool_call> and </tool_call> count where they are their own tokens: the same letters in ordinary
// tokens are text that talks about them.
//   Thinking: reasoning, newlines around it dropped, up to </think>; then the answer without leading newlines.
//   Instruct: the same where an answer begins with <think>.
//   A tool call that is not {"name": string, "arguments": ...} stays in the text as it is. In pieces a call begins when
//   its name and the first brace of its arguments are there: what is broken before that stays text, what breaks later
//   is given as the model wrote it.
class AnswerParser {
 public:
  AnswerParser(const Tokenizer& tokenizer, AnswerOptions options);

  void push(const TokenEvent& token, ChatDelta& out);
  void finish(ChatDelta& out);  // after the last token

  bool stopped() const { return stopped_; }  // a stop string came; later tokens are ignored
  const std::string& stop_text() const { return stop_text_; }  // which one
  bool thinking() const { return state_ == State::kThinking; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }
  int tool_calls() const { return tool_call_count_; }

 private:
  enum class State { kStart, kThinking, kContent, kToolCall };

  bool handle_marker(int32_t id, ChatDelta& out);
  void text(std::string_view text, ChatDelta& out);
  void reasoning_text(std::string_view text, ChatDelta& out);
  void content_text(std::string_view text, ChatDelta& out);
  void flush_content(bool drop_newlines, ChatDelta& out);
  void end_tool_call(bool closed, ChatDelta& out);
  size_t held_back_bytes() const;
  LogprobEntry logprob_entry(const TokenEvent& token) const;

  const Tokenizer& tokenizer_;
  const AnswerOptions options_;
  StreamDecoder decoder_;
  int32_t think_id_, think_end_id_, tool_id_, tool_end_id_;  // -1 where the tokenizer has none
  State state_;
  bool strip_newlines_ = false;  // at the beginning of a reasoning, or of an answer after one
  bool stopped_ = false;
  std::string stop_text_;
  std::string held_;      // content that may still become a stop string, or newlines before a tool call
  std::string newlines_;  // at the end of the reasoning so far
  ToolCallReader tool_;   // inside of <tool_call>
  int tool_call_count_ = 0;
  int64_t reasoning_tokens_ = 0;
};

}  // namespace qvl
