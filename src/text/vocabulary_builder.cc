#include "text/vocabulary_builder.h"

#include <limits>

#include "base/error.h"
#include "base/utf8.h"

namespace qvl {
namespace {

constexpr size_t kMaxContentBytes = 256;
// GPT-2's byte alphabet lies below this code point: printable Latin-1 characters stand for themselves, the other 68
// bytes for U+0100 onwards.
constexpr size_t kAlphabetEnd = 0x144;

constexpr std::array<int16_t, kAlphabetEnd> make_alphabet() {
  std::array<int16_t, kAlphabetEnd> bytes{};
  for (auto& b : bytes) b = -1;
  size_t next = 0x100;
  for (size_t b = 0; b < 256; ++b) {
    const bool printable_char = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    bytes[printable_char ? b : next++] = static_cast<int16_t>(b);
  }
  return bytes;
}
constexpr std::array<int16_t, kAlphabetEnd> kAlphabet = make_alphabet();

// Replaces `bytes` by what `text` spells in the byte alphabet; false where a character is none of it.
bool spell_bytes(std::string_view text, std::string& bytes) {
  bytes.clear();
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_next(text, pos);
    if (!step.valid || step.code_point >= kAlphabetEnd || kAlphabet[step.code_point] < 0) return false;
    bytes += static_cast<char>(kAlphabet[step.code_point]);
    pos += step.length;
  }
  return true;
}

// A byte as SentencePiece vocabularies write it, "<0x0A>" or a broken form of it.
bool is_byte_fallback(std::string_view text) { return text.starts_with("<0x") && text.ends_with('>'); }

}  // namespace

void VocabularyBuilder::fail(const std::string& reason) const {
  throw Error(ErrorKind::kModel, "model_tokenizer", fmt::format("{}: {}", file_, reason));
}

void VocabularyBuilder::add_entry(std::string_view text, int64_t id) {
  if (text.empty()) fail(fmt::format("expected a text for token {}, found an empty one", id));
  if (is_byte_fallback(text)) {
    fail(fmt::format("expected a byte-level vocabulary, found the byte fallback token \"{}\"", printable(text)));
  }
  entries_.push_back({text, id});
}

void VocabularyBuilder::add_added(std::string_view content, int64_t id, bool special) {
  if (content.empty() || content.size() > kMaxContentBytes) {
    fail(fmt::format("expected a content of 1 to {} bytes for the added token {}, found {} bytes", kMaxContentBytes, id,
                     content.size()));
  }
  added_.push_back({content, id});
  added_special_.push_back(special);
}

// texts[id] for every token; placed[id] is 1 for an entry, 2 for an added token, 3 for an entry that is also added.
void VocabularyBuilder::place_entries(std::vector<std::string_view>& texts, std::vector<uint8_t>& placed) const {
  const auto place = [&](const Entry& token, uint8_t mark, std::string_view where) {
    if (token.id < 0 || static_cast<uint64_t>(token.id) >= texts.size()) {
      fail(fmt::format("expected token ids without holes, found id {} in {} of only {} tokens", token.id, where,
                       texts.size()));
    }
    const auto id = static_cast<size_t>(token.id);
    if (placed[id] >= mark || (placed[id] != 0 && texts[id] != token.text)) {
      fail(fmt::format("expected one token for each id, found id {} twice in {}", token.id, where));
    }
    texts[id] = token.text;
    placed[id] = static_cast<uint8_t>(placed[id] | mark);
  };
  for (const Entry& token : entries_) place(token, 1, "the vocabulary");
  for (const Entry& token : added_) place(token, 2, "the added tokens");
}

void VocabularyBuilder::finish_vocabulary() {
  if (entries_.empty()) fail("expected a vocabulary, found none");
  std::vector<std::string_view> texts(entries_.size() + added_.size());
  if (texts.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) fail("found too many tokens");
  std::vector<uint8_t> placed(texts.size(), 0);
  place_entries(texts, placed);
  // Entries that are also added count once, so the list may be shorter than both together, but not have a hole.
  while (!placed.empty() && placed.back() == 0) placed.pop_back();
  texts.resize(placed.size());

  std::string bytes;
  for (size_t id = 0; id < texts.size(); ++id) {
    if (placed[id] == 0) fail(fmt::format("expected token ids without holes, found none with id {}", id));
    if (placed[id] == 1 && !spell_bytes(texts[id], bytes)) {
      fail(fmt::format("expected token {} in the byte-level alphabet, found \"{}\"", id, printable(texts[id])));
    }
    spec_.tokens.add(placed[id] == 1 ? std::string_view(bytes) : texts[id]);
    is_added_.push_back(placed[id] >= 2);
  }
  base_ids_.reserve(entries_.size());
  std::unordered_map<std::string_view, int32_t> added_ids;
  for (size_t id = 0; id < texts.size(); ++id) {
    auto& ids = is_added_[id] ? added_ids : base_ids_;
    if (!ids.emplace(spec_.tokens[id], static_cast<int32_t>(id)).second) {
      fail(fmt::format("expected every token once, found \"{}\" twice", printable(texts[id])));
    }
  }
  for (size_t i = 0; i < added_.size(); ++i) {
    spec_.added.push_back({static_cast<int32_t>(added_[i].id), std::string(added_[i].text), added_special_[i]});
  }
  collect_byte_ids();
}

void VocabularyBuilder::collect_byte_ids() {
  std::array<int32_t, 256> byte_ids{};
  for (size_t b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    const auto found = base_ids_.find(std::string_view(&byte, 1));
    if (found == base_ids_.end()) fail(fmt::format("expected a token for every byte, found none for 0x{:02x}", b));
    byte_ids[b] = found->second;
  }
  spec_.merger.set_byte_ids(byte_ids);
}

int32_t VocabularyBuilder::base_token(std::string_view alphabet_text) {
  if (!spell_bytes(alphabet_text, spelled_)) return -1;
  const auto found = base_ids_.find(spelled_);
  return found == base_ids_.end() ? -1 : found->second;
}

void VocabularyBuilder::add_merge(std::string_view left, std::string_view right) {
  const size_t number = ++merge_count_;
  const int32_t left_id = base_token(left), right_id = base_token(right);
  if (left_id < 0 || right_id < 0) {
    fail(fmt::format("expected merges of known tokens, found \"{}\" in merge {}", printable(left_id < 0 ? left : right),
                     number));
  }
  const int32_t product = base_token(std::string(left) + std::string(right));
  if (product < 0) {
    fail(fmt::format("expected a token for the result of merge {}, found no \"{}\"", number,
                     printable(std::string(left) + std::string(right))));
  }
  if (!spec_.merger.add_merge(left_id, right_id, product)) {
    fail(fmt::format("expected every merge once, found \"{} {}\" again as merge {}", printable(left), printable(right),
                     number));
  }
}

}  // namespace qvl
