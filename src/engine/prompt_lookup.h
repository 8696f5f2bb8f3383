// Finds where the last tokens of a sequence occurred before, so that what followed there can be guessed to follow again
// (prompt lookup: text is copied from the prompt, tables and markup repeat themselves). One sequence's; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qvl {

class PromptLookup {
 public:
  static constexpr int kShortest = 2, kLongest = 4;  // n-grams that are indexed
  static constexpr int kLongestMatch = 16;           // a match is followed back so far

  struct Match {
    int64_t next = 0;  // index of the token that followed the earlier occurrence
    int length = 0;    // tokens that agree, kShortest..kLongestMatch; 0: none
  };

  // most_tokens: what the sequence can grow to. Four to eight bytes a token and n-gram, at most 4 MiB.
  explicit PromptLookup(int64_t most_tokens);

  // tokens: the whole sequence; each call's must extend the call's before. The latest earlier occurrence of the longest
  // n-gram that its end has. Constant time for each new token.
  Match find(std::span<const int32_t> tokens);

 private:
  size_t slot(uint64_t hash) const { return static_cast<size_t>(hash >> shift_); }

  int shift_;
  int64_t indexed_ = 0;         // tokens whose preceding n-grams are in the table
  std::vector<int32_t> nexts_;  // by hash of an n-gram: index of the token after its latest occurrence; 0: none
};

// Up to `count` tokens from `next` on. Past the end of tokens it goes on with what it guessed: a repetition repeats itself.
std::vector<int32_t> guess_from(std::span<const int32_t> tokens, int64_t next, int64_t count);

}  // namespace qvl
