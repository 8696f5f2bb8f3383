#include "text/tokenizer.h"

#include <bitset>
#include <set>
#include <unordered_map>

#include "base/utf8.h"
#include "text/split.h"
#include "text/tokenizer_files.h"
#include "text/unicode.h"

namespace qvl {

struct Tokenizer::Impl {
  struct Match {
    size_t begin;
    size_t size;  // 0: no added token in the rest of the text
    int32_t id;
  };

  explicit Impl(TokenizerSpec tokenizer_spec)
      : spec(std::move(tokenizer_spec)), kinds(spec.tokens.size(), Kind::kBase) {
    for (const AddedToken& token : spec.added) {
      kinds[static_cast<size_t>(token.id)] = token.special ? Kind::kSpecial : Kind::kAdded;
      added_ids.emplace(token.content, token.id);
      added_sizes.insert(token.content.size());
      added_first_bytes.set(static_cast<unsigned char>(token.content[0]));
    }
  }

  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < kinds.size(); }

  // The first added token at or after `pos`, the longest where several begin there.
  Match find_added(std::string_view text, size_t pos) const {
    for (; pos < text.size(); ++pos) {
      if (!added_first_bytes.test(static_cast<unsigned char>(text[pos]))) continue;
      for (auto size = added_sizes.rbegin(); size != added_sizes.rend(); ++size) {
        const auto found = added_ids.find(text.substr(pos, *size));
        if (found != added_ids.end()) return {pos, found->first.size(), found->second};
      }
    }
    return {text.size(), 0, -1};
  }

  void encode_valid(std::string_view text, std::vector<int32_t>& out) const {
    std::string normalized;
    if (may_change_in_nfc(text)) {
      normalized = to_nfc(text);
      text = normalized;
    }
    for (size_t pos = 0; pos < text.size();) {
      const size_t end = next_piece(text, pos);
      spec.merger.encode(text.substr(pos, end - pos), out);
      pos = end;
    }
  }

  enum class Kind : uint8_t { kBase, kAdded, kSpecial };
  TokenizerSpec spec;
  std::vector<Kind> kinds;
  std::unordered_map<std::string_view, int32_t> added_ids;  // keys point into spec.added
  std::set<size_t> added_sizes;
  std::bitset<256> added_first_bytes;
};

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  return Tokenizer(std::make_unique<const Impl>(read_tokenizer_spec(folder)));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  std::vector<int32_t> ids;
  if (utf8_valid(text)) {
    impl_->encode_valid(text, ids);
  } else {
    impl_->encode_valid(utf8_repair(text), ids);
  }
  return ids;
}

std::vector<int32_t> Tokenizer::encode_with_added_tokens(std::string_view text) const {
  const std::string repaired = utf8_repair(text);
  const std::string_view valid = repaired;
  std::vector<int32_t> ids;
  for (size_t pos = 0; pos < valid.size();) {
    const Impl::Match match = impl_->find_added(valid, pos);
    impl_->encode_valid(valid.substr(pos, match.begin - pos), ids);
    if (match.size > 0) ids.push_back(match.id);
    pos = match.begin + match.size;
  }
  return ids;
}

int32_t Tokenizer::size() const { return static_cast<int32_t>(impl_->kinds.size()); }

std::optional<std::string_view> Tokenizer::token_bytes(int32_t id) const {
  if (!impl_->has(id)) return std::nullopt;
  return impl_->spec.tokens[static_cast<size_t>(id)];
}

bool Tokenizer::is_added(int32_t id) const {
  return impl_->has(id) && impl_->kinds[static_cast<size_t>(id)] != Impl::Kind::kBase;
}

bool Tokenizer::is_special(int32_t id) const {
  return impl_->has(id) && impl_->kinds[static_cast<size_t>(id)] == Impl::Kind::kSpecial;
}

std::optional<int32_t> Tokenizer::added_token_id(std::string_view content) const {
  const auto found = impl_->added_ids.find(content);
  if (found == impl_->added_ids.end()) return std::nullopt;
  return found->second;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (skip_special_tokens && is_special(id)) continue;
    if (const auto token = token_bytes(id)) bytes += *token;
  }
  return utf8_repair(bytes);
}

}  // namespace qvl
