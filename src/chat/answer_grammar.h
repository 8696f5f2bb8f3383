// Grammars of answers: compiled once, kept for the requests that ask for the same, held to the engine's tokens. Thread-safe.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "engine/token_constraint.h"
#include "grammar/matcher.h"
#include "text/tokenizer.h"

namespace qvl {

// The grammars of one vocabulary.
class GrammarStore {
 public:
  explicit GrammarStore(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}  // outlives the store

  // The grammar kept under the key, or what compile() makes; its errors are not kept.
  std::shared_ptr<const VocabularyGrammar> get(const std::string& key, const std::function<Grammar()>& compile);
  const Tokenizer& tokenizer() const { return tokenizer_; }
  size_t entries() const;

  static constexpr size_t kMaxEntries = 32, kMaxBytes = size_t{8} << 20;

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const VocabularyGrammar> grammar;
  };
  size_t bytes() const;

  const Tokenizer& tokenizer_;
  mutable std::mutex mutex_;  // guards the two below
  std::shared_ptr<const TokenTrie> trie_;  // from the first grammar on: most servers never need it
  std::list<Entry> entries_;               // latest first
};

// Each constraint that it makes begins at the grammar's beginning. The tokenizer outlives them.
ConstraintFactory constraint_factory(const Tokenizer& tokenizer, std::shared_ptr<const VocabularyGrammar> grammar);

}  // namespace qvl
