#include "chat/truncation.h"

namespace qvl {
namespace {

bool has_role(const Json& message, const char* role) {
  return message.is_object() && message.contains("role") && message["role"] == role;
}

}  // namespace

std::vector<Turn> turns_of(const Json& messages) {
  std::vector<Turn> turns;
  size_t begin = 0;
  while (begin < messages.size() && has_role(messages[begin], "system")) ++begin;
  bool asked = false;
  for (size_t i = begin; i < messages.size(); ++i) {
    if (!has_role(messages[i], "user")) continue;
    if (asked) {
      turns.push_back({begin, i});
      begin = i;
    }
    asked = true;
  }
  if (begin < messages.size()) turns.push_back({begin, messages.size()});
  return turns;
}

Json without_turns(const Json& messages, const std::vector<Turn>& turns, size_t count) {
  if (count == 0) return messages;
  Json kept = Json::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i < turns.front().begin || i >= turns[count - 1].end) kept.push_back(messages[i]);
  }
  return kept;
}

size_t turns_to_drop(int64_t head, const std::vector<int64_t>& turn_tokens, int64_t limit) {
  size_t first = 0;
  int64_t tokens = head;
  for (size_t i = 0; i < turn_tokens.size(); ++i) {
    tokens += turn_tokens[i];
    if (tokens <= limit) continue;
    while (first < i && tokens > limit / 2) tokens -= turn_tokens[first++];
  }
  return first;
}

}  // namespace qvl
