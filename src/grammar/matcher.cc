#include "grammar/matcher.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace qvl {
namespace {

constexpr size_t kKeptMasks = 24;       // of an answer's places
constexpr size_t kTidyPlaces = 4'000;   // then those that are past are forgotten
constexpr size_t kFewIds = 1'024;
constexpr size_t kManyStates = 6;       // then one walk for all of them together is cheaper than their masks
constexpr int32_t kWorthDeriving = 4;   // known bytes: with fewer nearly all of the walk is left
constexpr int32_t kSoonDerived = 8;     // with so many little of it is

bool is_end(std::span<const ParseStates::Pair> kernel) { return kernel.size() == 1 && kernel[0].first == ParseStates::kBottom; }

void clear(std::span<uint64_t> words, int32_t id) { words[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id % 64)); }
void set(std::span<uint64_t> words, int32_t id) { words[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64); }

}  // namespace

std::shared_ptr<const StateMask> VocabularyGrammar::find(int32_t state) const {
  const std::lock_guard lock(mutex_);
  const auto found = masks_.find(state);
  return found == masks_.end() ? nullptr : found->second;
}

size_t VocabularyGrammar::bytes() const {
  const std::lock_guard lock(mutex_);
  return grammar_.bytes() + mask_bytes_;
}

void VocabularyGrammar::keep(int32_t state, std::shared_ptr<const StateMask> mask) const {
  const std::lock_guard lock(mutex_);
  if (mask->bytes() > kMaxMaskBytes) return;
  if (mask_bytes_ + mask->bytes() > kMaxMaskBytes) masks_.clear(), mask_bytes_ = 0;
  if (masks_.try_emplace(state, mask).second) mask_bytes_ += mask->bytes();
}

GrammarMatcher::GrammarMatcher(std::shared_ptr<const VocabularyGrammar> grammar)
    : shared_(std::move(grammar)), states_(shared_->grammar()), place_(states_.begin()), path_(shared_->trie().longest() + 1) {}

int32_t GrammarMatcher::after(std::string_view bytes) {
  states_.start_work();
  int32_t place = place_;
  for (const char c : bytes) {
    place = states_.next(place, static_cast<uint8_t>(c));
    if (place == ParseStates::kDead) break;
  }
  return place;
}

bool GrammarMatcher::accept(std::string_view bytes) {
  const int32_t place = after(bytes);
  if (place == ParseStates::kDead) return false;
  place_ = place;
  tidy();
  return true;
}

bool GrammarMatcher::accept_token(int32_t id) {
  const auto bytes = shared_->trie().bytes(id);
  return !bytes.empty() && accept(bytes);
}

bool GrammarMatcher::ended() const { return is_end(states_.kernel(place_)); }

void GrammarMatcher::tidy() {
  if (states_.size() < kTidyPlaces) return;
  place_ = states_.keep_only(place_);
  masks_.clear();
}

// Calls reached(node index, node, place) for each node in [begin, end) that the grammar reaches from `place`, which stands before
// the first of them: all are of one depth or below it. Subtrees no deeper than known_bytes are left out.
template <typename Reached>
void GrammarMatcher::walk(int32_t place, int32_t begin, int32_t end, int32_t known_bytes, Reached reached) {
  const auto& nodes = shared_->trie().nodes();
  if (begin >= end) return;
  states_.count(static_cast<size_t>(end - begin) / 16);
  path_[nodes[static_cast<size_t>(begin)].depth - 1u] = place;
  for (int32_t i = begin; i < end;) {
    const auto& node = nodes[static_cast<size_t>(i)];
    if (node.deepest <= known_bytes) {
      i = node.end;
      continue;
    }
    const int32_t next = states_.next(path_[node.depth - 1u], node.byte);
    if (next == ParseStates::kDead) {
      i = node.end;
      continue;
    }
    path_[node.depth] = next;
    reached(i, node, next);
    ++i;
  }
}

// Sets what tokens of more than known_bytes bytes say; beginning with the state itself, where the rule may already have ended, is
// the caller's.
void GrammarMatcher::read_tokens(int32_t state, int32_t known_bytes, StateMask& mask) {
  const auto nodes = static_cast<int32_t>(shared_->trie().nodes().size());
  walk(states_.alone(state), 0, nodes, known_bytes, [&](int32_t i, const TokenTrie::Node& node, int32_t place) {
    if (node.depth <= known_bytes) return;
    if (node.token >= 0) set(mask.words, node.token);
    if (states_.can_end(place) && node.end > i + 1) mask.rule_ends.push_back(i);
  });
}

std::shared_ptr<const StateMask> GrammarMatcher::state_mask(int32_t state) {
  if (auto known = shared_->find(state)) return known;
  const auto& trie = shared_->trie();
  auto mask = std::make_shared<StateMask>();
  mask->words.assign(trie.words(), 0);
  const auto [other, alike_bytes] = shared_->grammar().like(state);
  // Between the copies of a long repetition only the longest tokens know how many copies are left.
  const bool derived = other >= 0 && alike_bytes >= kWorthDeriving;
  const int32_t known_bytes = derived ? std::min(alike_bytes, TokenTrie::kDeepest - 1) : 0;
  if (derived) {
    const auto like = state_mask(other);
    for (const int32_t id : like->ids) set(mask->words, id);
    std::copy(like->words.begin(), like->words.end(), mask->words.begin());
    for (const int32_t id : trie.longer_than(known_bytes)) clear(mask->words, id);
    std::copy_if(like->rule_ends.begin(), like->rule_ends.end(), std::back_inserter(mask->rule_ends),
                 [&](int32_t node) { return trie.nodes()[static_cast<size_t>(node)].depth <= known_bytes; });
  }
  read_tokens(state, known_bytes, *mask);
  size_t count = 0;
  for (const uint64_t word : mask->words) count += static_cast<size_t>(std::popcount(word));
  if (count <= kFewIds) {
    for (int32_t id = 0; id < trie.tokens(); ++id) {
      if (mask->words[static_cast<size_t>(id) / 64] >> (id % 64) & 1) mask->ids.push_back(id);
    }
    mask->words = {};
  }
  mask->rule_ends.shrink_to_fit();
  if (known_bytes < kSoonDerived) shared_->keep(state, mask);  // the others would only push out what they are made from
  return mask;
}

// Longer tokens that end the rule on their way and go on with what follows it.
void GrammarMatcher::add_after_end(const StateMask& mask, int32_t frames, std::span<uint64_t> words) {
  if (mask.rule_ends.empty()) return;
  const int32_t after = states_.after(frames);
  if (is_end(states_.kernel(after))) return;
  const auto& nodes = shared_->trie().nodes();
  for (const int32_t end : mask.rule_ends) {
    walk(after, end + 1, nodes[static_cast<size_t>(end)].end, 0, [&](int32_t, const TokenTrie::Node& node, int32_t) {
      if (node.token >= 0) set(words, node.token);
    });
  }
}

void GrammarMatcher::fill_mask(std::span<uint64_t> words) {
  if (const auto known = masks_.find(place_); known != masks_.end()) {
    std::copy(known->second.begin(), known->second.end(), words.begin());
    return;
  }
  states_.start_work();
  std::fill(words.begin(), words.end(), 0);
  const auto kernel = states_.kernel(place_);
  const std::vector<ParseStates::Pair> pairs(kernel.begin(), kernel.end());
  if (pairs.size() > kManyStates) {
    walk(place_, 0, static_cast<int32_t>(shared_->trie().nodes().size()), 0, [&](int32_t, const TokenTrie::Node& node, int32_t) {
      if (node.token >= 0) set(words, node.token);
    });
  }
  for (const auto& [state, frames] : pairs) {
    if (state == ParseStates::kBottom || pairs.size() > kManyStates) continue;
    const auto mask = state_mask(state);
    for (size_t w = 0; w < mask->words.size(); ++w) words[w] |= mask->words[w];
    for (const int32_t id : mask->ids) set(words, id);
    add_after_end(*mask, frames, words);
  }
  if (masks_.size() >= kKeptMasks) masks_.clear();
  masks_.emplace(place_, std::vector<uint64_t>(words.begin(), words.end()));
}

std::string GrammarMatcher::forced_bytes(size_t most) {
  states_.start_work();
  std::string out;
  int32_t place = place_;
  while (out.size() < most && !states_.can_end(place)) {
    const int byte = states_.only_byte(place);
    if (byte < 0) break;
    out += static_cast<char>(byte);
    place = states_.next(place, static_cast<uint8_t>(byte));
  }
  return out;
}

}  // namespace qvl
