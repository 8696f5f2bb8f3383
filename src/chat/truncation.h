// Which of a long conversation's oldest turns are left out. Pure, thread-safe.
#pragma once

#include <cstdint>
#include <vector>

#include "base/json.h"

namespace qvl {

// Messages begin..end-1: a user's message and all up to the next one. What precedes the first of them belongs to it.
struct Turn {
  size_t begin, end;
};

// After the system message; messages as render_chat() takes them.
std::vector<Turn> turns_of(const Json& messages);
// The messages without the first `count` turns.
Json without_turns(const Json& messages, const std::vector<Turn>& turns, size_t count);

// How many of the first turns are left out, so that the others and `head` (system message, tools) have at most `limit` tokens;
// never the last one. Where something must go, more goes than must, down to half of the limit: the next turns then begin with
// the same text as this one, and find it in the cache. turn_tokens: of each turn; a longer conversation with the same
// beginning gives the same answer until it is full again.
size_t turns_to_drop(int64_t head, const std::vector<int64_t>& turn_tokens, int64_t limit);

}  // namespace qvl
