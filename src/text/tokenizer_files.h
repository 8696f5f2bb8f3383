// What the files of a model's folder say about its text side, read and checked: the only code that parses them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe.h"

namespace qvl {

// The bytes of all tokens, one after the other.
class TokenBytes {
 public:
  void add(std::string_view bytes) {
    bytes_ += bytes;
    ends_.push_back(bytes_.size());
  }
  size_t size() const { return ends_.size(); }
  std::string_view operator[](size_t id) const {
    const size_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(bytes_).substr(begin, ends_[id] - begin);
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

struct AddedToken {
  int32_t id;
  std::string content;
  bool special;
};

struct TokenizerSpec {
  TokenBytes tokens;  // by id, without holes: added tokens included
  std::vector<AddedToken> added;
  BpeMerger merger;
};

// From tokenizer.json, or else vocab.json + merges.txt + tokenizer_config.json. Refused, with kModel "model_tokenizer":
// anything that this tokenizer would read differently than the reference (another pre-tokenizer, normaliser, model),
// ids with holes, tokens or merges that stand twice, merges of unknown tokens, a byte without a token.
TokenizerSpec read_tokenizer_spec(const std::filesystem::path& folder);

// "chat_template" of chat_template.json or tokenizer_config.json: a string, or of a list of named templates the one
// named "default". nullopt where the file has none. Errors: kModel "template_syntax".
std::optional<std::string> read_chat_template_field(const std::filesystem::path& path);

}  // namespace qvl
