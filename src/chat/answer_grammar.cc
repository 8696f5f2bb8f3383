#include "chat/answer_grammar.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"

namespace qvl {
namespace {

class GrammarConstraint final : public TokenConstraint {
 public:
  GrammarConstraint(const Tokenizer& tokenizer, std::shared_ptr<const VocabularyGrammar> grammar)
      : tokenizer_(tokenizer), grammar_(grammar), matcher_(std::move(grammar)) {}

  void fill_mask(std::span<uint64_t> words) override { matcher_.fill_mask(words); }
  size_t words() const override { return grammar_->trie().words(); }
  void accept(int32_t id) override {
    if (!matcher_.accept_token(id)) throw Error(ErrorKind::kInternal, "grammar_violated", fmt::format("the grammar does not allow the token {}", id));
  }
  bool can_end() const override { return matcher_.can_end(); }
  bool ended() const override { return matcher_.ended(); }

  std::vector<int32_t> foreseen(int64_t most) override {
    // A token has a byte at least; longer texts than this make more tokens than a pass has room for.
    constexpr size_t kMostBytes = 96;
    const std::string bytes = matcher_.forced_bytes(std::min(kMostBytes, static_cast<size_t>(most) * 8));
    std::vector<int32_t> ids;
    for (size_t begin = 0; begin < bytes.size();) {
      if (static_cast<uint8_t>(bytes[begin]) >= kFirstMarkerByte) {
        ids.push_back(grammar_->trie().marker_id(static_cast<uint8_t>(bytes[begin++])));
        continue;
      }
      size_t end = begin;
      while (end < bytes.size() && static_cast<uint8_t>(bytes[end]) < kFirstMarkerByte) ++end;
      const auto text = tokenizer_.encode(std::string_view(bytes).substr(begin, end - begin));
      ids.insert(ids.end(), text.begin(), text.end());
      begin = end;
    }
    if (std::ssize(ids) > most) ids.resize(static_cast<size_t>(most));
    return ids;
  }

 private:
  const Tokenizer& tokenizer_;
  std::shared_ptr<const VocabularyGrammar> grammar_;
  GrammarMatcher matcher_;
};

}  // namespace

size_t GrammarStore::bytes() const {
  size_t sum = 0;
  for (const Entry& entry : entries_) sum += entry.grammar->bytes() + entry.key.size();
  return sum;
}

size_t GrammarStore::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::shared_ptr<const VocabularyGrammar> GrammarStore::get(const std::string& key, const std::function<Grammar()>& compile) {
  const std::string short_key = key.size() <= 64 ? key : hex(sha256(std::as_bytes(std::span(key))));
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->key != short_key) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return entry->grammar;
    }
  }
  Grammar grammar = compile();  // slow: others must not wait for it
  const std::lock_guard lock(mutex_);
  if (!trie_) trie_ = std::make_shared<const TokenTrie>(tokenizer_);
  auto made = std::make_shared<const VocabularyGrammar>(std::move(grammar), trie_);
  entries_.push_front({short_key, made});
  while (entries_.size() > kMaxEntries || (entries_.size() > 1 && bytes() > kMaxBytes)) entries_.pop_back();
  return made;
}

ConstraintFactory constraint_factory(const Tokenizer& tokenizer, std::shared_ptr<const VocabularyGrammar> grammar) {
  return [&tokenizer, grammar = std::move(grammar)]() -> std::unique_ptr<TokenConstraint> {
    return std::make_unique<GrammarConstraint>(tokenizer, grammar);
  };
}

}  // namespace qvl
