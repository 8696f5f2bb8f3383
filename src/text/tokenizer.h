// Byte-level BPE of the Qwen family: text <-> token ids. Immutable after loading, so shared between threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

class Tokenizer {
 public:
  // From a model's folder: tokenizer.json, or vocab.json + merges.txt with tokenizer_config.json's added tokens.
  // Errors: kModel "model_tokenizer".
  static Tokenizer load(const std::filesystem::path& folder);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Text typed by somebody: never gives an added token, whatever it spells. Invalid UTF-8 is replaced by U+FFFD.
  std::vector<int32_t> encode(std::string_view text) const;
  // Text of our own or of a test: added tokens are found in it (before normalisation, leftmost longest).
  std::vector<int32_t> encode_with_added_tokens(std::string_view text) const;

  int32_t size() const;  // highest id + 1, added tokens included
  // The raw bytes of a token (not always UTF-8); nullopt for ids that belong to no token.
  std::optional<std::string_view> token_bytes(int32_t id) const;
  bool is_added(int32_t id) const;
  bool is_special(int32_t id) const;  // added and skipped by skip_special_tokens: not <think>, <tool_call>, ...
  std::optional<int32_t> added_token_id(std::string_view content) const;

  // Bytes of all tokens joined, then invalid UTF-8 replaced; special tokens left out on request.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens) const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

// Ids to text as they come: each push returns the longest text that later tokens cannot change any more (rule in the
// reference data: incomplete UTF-8 held back, invalid bytes become U+FFFD by maximal subparts).
class StreamDecoder {
 public:
  StreamDecoder(const Tokenizer& tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_(skip_special_tokens) {}
  std::string push(int32_t id);
  std::string flush();  // what was held back

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::string held_;  // an incomplete sequence, at most 3 bytes
};

}  // namespace qvl
