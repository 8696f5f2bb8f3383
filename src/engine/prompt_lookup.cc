#include "engine/prompt_lookup.h"

#include <algorithm>
#include <bit>

namespace qvl {
namespace {

constexpr int64_t kMostSlots = int64_t{1} << 20;

// Calls f(n, hash) for the n-grams that end before index `end`, shortest first. The hash is good in its upper bits.
template <typename F>
void each_gram(std::span<const int32_t> tokens, int64_t end, F f) {
  uint64_t hash = 0;
  for (int n = 1; n <= PromptLookup::kLongest && n <= end; ++n) {
    hash = (hash + static_cast<uint32_t>(tokens[static_cast<size_t>(end - n)]) + 1) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
    if (n >= PromptLookup::kShortest) f(hash * 0xBF58476D1CE4E5B9u);
  }
}

// How many tokens before a and before b agree. b is the later.
int common_length(std::span<const int32_t> tokens, int64_t a, int64_t b) {
  int n = 0;
  while (n < PromptLookup::kLongestMatch && n < a && tokens[static_cast<size_t>(a - n - 1)] == tokens[static_cast<size_t>(b - n - 1)]) ++n;
  return n;
}

}  // namespace

PromptLookup::PromptLookup(int64_t most_tokens) {
  constexpr int64_t kGrams = kLongest - kShortest + 1;
  const auto slots = std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(kGrams * most_tokens, 64, kMostSlots)));
  shift_ = 64 - std::countr_zero(slots);
  nexts_.resize(slots);
}

PromptLookup::Match PromptLookup::find(std::span<const int32_t> tokens) {
  const auto end = static_cast<int64_t>(tokens.size());
  // Not the n-gram at the very end: nothing follows it yet, and it would find itself.
  for (; indexed_ < end; ++indexed_) {
    each_gram(tokens, indexed_, [&](uint64_t hash) { nexts_[slot(hash)] = static_cast<int32_t>(indexed_); });
  }
  Match best;
  each_gram(tokens, end, [&](uint64_t hash) {
    const int64_t next = nexts_[slot(hash)];
    if (next == 0) return;
    const int length = common_length(tokens, next, end);  // two n-grams may share a slot
    if (length >= kShortest && length >= best.length) best = {next, length};
  });
  return best;
}

std::vector<int32_t> guess_from(std::span<const int32_t> tokens, int64_t next, int64_t count) {
  std::vector<int32_t> out;
  const auto size = static_cast<int64_t>(tokens.size());
  for (int64_t i = next; i < next + count; ++i) {
    out.push_back(i < size ? tokens[static_cast<size_t>(i)] : out[static_cast<size_t>(i - size)]);
  }
  return out;
}

}  // namespace qvl
