// A grammar over a vocabulary: which tokens may come next. GrammarMatcher is one answer's and one thread's; what it learns about
// the grammar's states is kept in the VocabularyGrammar, which all answers share.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/parse_states.h"
#include "grammar/token_trie.h"

namespace qvl {

// What one state of a rule says about all tokens, whatever stands around the rule.
struct StateMask {
  std::vector<uint64_t> words;      // tokens that the rule itself reads to their end; empty where ids are few
  std::vector<int32_t> ids;         // the same, where few
  std::vector<int32_t> rule_ends;   // nodes of the trie where the rule may have ended and longer tokens go on
  size_t bytes() const { return sizeof(*this) + words.size() * 8 + (ids.size() + rule_ends.size()) * 4; }
};

// Thread-safe.
class VocabularyGrammar {
 public:
  VocabularyGrammar(Grammar grammar, std::shared_ptr<const TokenTrie> trie) : grammar_(std::move(grammar)), trie_(std::move(trie)) {}
  const Grammar& grammar() const { return grammar_; }
  const TokenTrie& trie() const { return *trie_; }
  std::shared_ptr<const StateMask> find(int32_t state) const;
  void keep(int32_t state, std::shared_ptr<const StateMask> mask) const;
  size_t bytes() const;

  static constexpr size_t kMaxMaskBytes = size_t{512} << 10;

 private:
  const Grammar grammar_;
  const std::shared_ptr<const TokenTrie> trie_;
  mutable std::mutex mutex_;  // guards the two below
  mutable std::unordered_map<int32_t, std::shared_ptr<const StateMask>> masks_;
  mutable size_t mask_bytes_ = 0;
};

// All errors: kInvalidRequest "grammar_too_complex".
class GrammarMatcher {
 public:
  explicit GrammarMatcher(std::shared_ptr<const VocabularyGrammar> grammar);

  // False, and nothing changed, where the grammar does not allow the bytes here.
  bool accept(std::string_view bytes);
  bool accept_token(int32_t id);
  bool allows(std::string_view bytes) { return after(bytes) != ParseStates::kDead; }
  bool can_end() const { return states_.can_end(place_); }
  bool ended() const;  // can end, and nothing else can come
  // words: one bit an id, trie().words() of them. Stop tokens are the caller's.
  void fill_mask(std::span<uint64_t> words);
  // What must come next, whatever is chosen; at most `most` bytes.
  std::string forced_bytes(size_t most);

 private:
  int32_t after(std::string_view bytes);
  std::shared_ptr<const StateMask> state_mask(int32_t state);
  void read_tokens(int32_t state, int32_t known_bytes, StateMask& mask);
  void add_after_end(const StateMask& mask, int32_t frames, std::span<uint64_t> words);
  template <typename Reached>
  void walk(int32_t place, int32_t begin, int32_t end, int32_t known_bytes, Reached reached);
  void tidy();

  std::shared_ptr<const VocabularyGrammar> shared_;
  ParseStates states_;
  int32_t place_;
  std::vector<int32_t> path_;  // places after each byte of a token
  std::unordered_map<int32_t, std::vector<uint64_t>> masks_;  // of places, whole
};

}  // namespace qvl
