// A vocabulary, matchers over it, and random answers that follow a grammar.
#pragma once

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "grammar/gbnf.h"
#include "grammar/matcher.h"

namespace qvl {

inline const Tokenizer& demo_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(QVL_SOURCE_DIR) / "models/demo");
  return tokenizer;
}

inline std::shared_ptr<const TokenTrie> demo_trie() {
  static const auto trie = std::make_shared<const TokenTrie>(demo_tokenizer());
  return trie;
}

inline std::shared_ptr<const VocabularyGrammar> with_demo(Grammar grammar) {
  return std::make_shared<const VocabularyGrammar>(std::move(grammar), demo_trie());
}

inline bool matches(const std::shared_ptr<const VocabularyGrammar>& grammar, std::string_view text) {
  GrammarMatcher matcher(grammar);
  for (; text.size() > 100; text.remove_prefix(100)) {
    if (!matcher.accept(text.substr(0, 100))) return false;
  }
  return matcher.accept(text) && matcher.can_end();
}

inline bool may_begin(const std::shared_ptr<const VocabularyGrammar>& grammar, std::string_view text) {
  return GrammarMatcher(grammar).accept(text);
}

inline std::vector<int32_t> allowed_ids(GrammarMatcher& matcher) {
  std::vector<uint64_t> words(demo_trie()->words());
  matcher.fill_mask(words);
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < demo_trie()->tokens(); ++id) {
    if (words[static_cast<size_t>(id) / 64] >> (id % 64) & 1) ids.push_back(id);
  }
  return ids;
}

struct Walk {
  std::string text;
  bool ended = false;  // before the limit
  bool stuck = false;  // no token was left, which must never be
};

// Tokens chosen at random among those that are allowed; ends with the chance of one in `end` wherever it can. The longer it gets the
// likelier it takes a token that ends something.
inline Walk random_walk(const std::shared_ptr<const VocabularyGrammar>& grammar, std::mt19937& rng, int most, unsigned end = 4) {
  GrammarMatcher matcher(grammar);
  Walk out;
  for (int i = 0; i < most; ++i) {
    if (matcher.ended() || (matcher.can_end() && rng() % end == 0)) {
      out.ended = true;
      return out;
    }
    const auto ids = allowed_ids(matcher);
    if (ids.empty()) {
      out.stuck = true;
      return out;
    }
    int32_t id = ids[rng() % ids.size()];
    if (rng() % static_cast<unsigned>(most) < static_cast<unsigned>(i)) {
      for (const int32_t other : ids) {
        const auto bytes = demo_trie()->bytes(other);
        if (bytes == "\"" || bytes == "}" || bytes == "]") id = other;
      }
    }
    out.text += demo_trie()->bytes(id);
    if (!matcher.accept_token(id)) out.stuck = true;
  }
  out.ended = matcher.can_end();
  return out;
}

}  // namespace qvl
