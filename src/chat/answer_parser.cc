#include "chat/answer_parser.h"

#include <algorithm>
#include <iterator>

namespace qvl {
namespace {

constexpr std::string_view kWhitespace = " \t\r\n";

size_t trailing_newlines(std::string_view text) {
  const size_t last = text.find_last_not_of('\n');
  return last == text.npos ? text.size() : text.size() - last - 1;
}

// Bytes at the end of text that are a beginning of stop, not all of it.
size_t partial_match(std::string_view text, std::string_view stop) {
  for (size_t n = std::min(text.size(), stop.size() - 1); n > 0; --n) {
    if (text.substr(text.size() - n) == stop.substr(0, n)) return n;
  }
  return 0;
}

}  // namespace

void append(ChatDelta& all, ChatDelta&& delta) {
  all.reasoning += delta.reasoning;
  all.content += delta.content;
  std::move(delta.logprobs.begin(), delta.logprobs.end(), std::back_inserter(all.logprobs));
  for (AnswerToolCall& call : delta.tool_calls) {
    if (call.id.empty() && !all.tool_calls.empty()) {
      all.tool_calls.back().arguments += call.arguments;
    } else {
      all.tool_calls.push_back(std::move(call));
    }
  }
}

AnswerParser::AnswerParser(const Tokenizer& tokenizer, AnswerOptions options)
    : tokenizer_(tokenizer),
      options_(std::move(options)),
      decoder_(tokenizer, true),
      think_id_(tokenizer.added_token_id("<think>").value_or(-1)),
      think_end_id_(tokenizer.added_token_id("</think>").value_or(-1)),
      tool_id_(tokenizer.added_token_id("<tool_call>").value_or(-1)),
      tool_end_id_(tokenizer.added_token_id("</tool_call>").value_or(-1)),
      state_(options_.plain                ? State::kContent
             : options_.starts_in_thinking ? State::kThinking
                                           : State::kStart),
      strip_newlines_(options_.starts_in_thinking && !options_.plain) {}

void AnswerParser::push(const TokenEvent& token, ChatDelta& out) {
  if (stopped_) return;
  if (state_ == State::kThinking) ++reasoning_tokens_;
  const bool counts_as_answer = state_ != State::kThinking;
  if (!options_.plain && handle_marker(token.id, out)) return;
  if (counts_as_answer && options_.logprobs) out.logprobs.push_back(logprob_entry(token));
  text(decoder_.push(token.id), out);
}

bool AnswerParser::handle_marker(int32_t id, ChatDelta& out) {
  if (id < 0 || (id != think_id_ && id != think_end_id_ && id != tool_id_ && id != tool_end_id_)) return false;
  const bool opens_thought = id == think_id_ && state_ == State::kStart;
  const bool repeats_opening = id == think_id_ && state_ == State::kThinking && strip_newlines_;
  const bool closes_thought = id == think_end_id_ && state_ == State::kThinking;
  const bool opens_call =
      id == tool_id_ && options_.parse_tool_calls && (state_ == State::kStart || state_ == State::kContent);
  const bool closes_call = id == tool_end_id_ && state_ == State::kToolCall;
  if (!(opens_thought || repeats_opening || closes_thought || opens_call || closes_call)) return false;
  text(decoder_.flush(), out);
  if (opens_thought) {
    held_.clear();
    state_ = State::kThinking;
    strip_newlines_ = true;
    ++reasoning_tokens_;
  } else if (closes_thought) {
    newlines_.clear();
    state_ = State::kContent;
    strip_newlines_ = true;
  } else if (opens_call) {
    flush_content(true, out);
    if (!stopped_) state_ = State::kToolCall;
  } else if (closes_call) {
    end_tool_call(true, out);
  }
  return true;
}

void AnswerParser::text(std::string_view text, ChatDelta& out) {
  if (text.empty()) return;
  if (state_ == State::kStart) {
    // Leading whitespace waits: a <think> may follow it.
    if (text.find_first_not_of(kWhitespace) == text.npos) {
      held_ += text;
      return;
    }
    state_ = State::kContent;
  }
  switch (state_) {
    case State::kThinking:
      reasoning_text(text, out);
      break;
    case State::kToolCall:
      if (!options_.stream_tool_calls) {
        tool_.push(text);
        break;
      }
      tool_.push_streaming(text, out.tool_calls);
      break;
    default:
      content_text(text, out);
      break;
  }
}

void AnswerParser::reasoning_text(std::string_view text, ChatDelta& out) {
  if (strip_newlines_) {
    text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    strip_newlines_ = false;
  }
  const size_t newlines = trailing_newlines(text);
  if (newlines < text.size()) {
    out.reasoning += newlines_;
    out.reasoning += text.substr(0, text.size() - newlines);
    newlines_.clear();
  }
  newlines_ += text.substr(text.size() - newlines);
}

void AnswerParser::content_text(std::string_view text, ChatDelta& out) {
  if (strip_newlines_) {
    text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
    if (text.empty()) return;
    strip_newlines_ = false;
  }
  held_ += text;
  size_t cut = held_.npos;
  for (const std::string& stop : options_.stop) {
    const size_t at = held_.find(stop);
    if (at >= cut) continue;
    cut = at;
    stop_text_ = stop;
  }
  if (cut != held_.npos) {
    out.content += held_.substr(0, cut);
    held_.clear();
    stopped_ = true;
    return;
  }
  const size_t keep = held_back_bytes();
  out.content += held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
}

size_t AnswerParser::held_back_bytes() const {
  size_t keep = options_.parse_tool_calls ? trailing_newlines(held_) : 0;
  for (const std::string& stop : options_.stop) keep = std::max(keep, partial_match(held_, stop));
  return keep;
}

void AnswerParser::flush_content(bool drop_newlines, ChatDelta& out) {
  if (drop_newlines) held_.erase(held_.size() - trailing_newlines(held_));
  out.content += held_;
  held_.clear();
}

void AnswerParser::end_tool_call(bool closed, ChatDelta& out) {
  const ToolCallReader call = std::move(tool_);
  tool_.clear();
  state_ = State::kContent;
  if (!call.begun()) {
    auto whole = call.whole();
    if (!whole) return content_text("<tool_call>" + call.text() + (closed ? "</tool_call>" : ""), out);
    out.tool_calls.push_back(std::move(*whole));
  }
  ++tool_call_count_;
  strip_newlines_ = true;
  stopped_ = stopped_ || options_.single_tool_call;
}

void AnswerParser::finish(ChatDelta& out) {
  if (stopped_) return;
  text(decoder_.flush(), out);
  if (state_ == State::kToolCall) end_tool_call(false, out);
  if (!stopped_) flush_content(false, out);
}

LogprobEntry AnswerParser::logprob_entry(const TokenEvent& token) const {
  const auto bytes = [&](int32_t id) { return std::string(tokenizer_.token_bytes(id).value_or(std::string_view())); };
  LogprobEntry entry{bytes(token.id), token.logprob, {}};
  for (const TokenLogprob& other : token.top) entry.top.emplace_back(bytes(other.id), other.logprob);
  return entry;
}

}  // namespace qvl
