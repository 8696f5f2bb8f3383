// Checks a vocabulary while it is put together, whatever files it comes from. Used by one thread while loading.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tokenizer_files.h"

namespace qvl {

// Call add_entry and add_added for all tokens, then finish_vocabulary, then add_merge in order of priority, then take.
// Every text handed in must stay alive until take. All throw kModel "model_tokenizer".
class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::string file) : file_(std::move(file)) {}

  void add_entry(std::string_view text, int64_t id);  // text: in GPT-2's byte alphabet
  void add_added(std::string_view content, int64_t id, bool special);
  void finish_vocabulary();
  void add_merge(std::string_view left, std::string_view right);  // in the byte alphabet
  TokenizerSpec take() { return std::move(spec_); }

  // The file that messages name from now on.
  void set_file(std::string file) { file_ = std::move(file); }
  size_t merge_count() const { return merge_count_; }
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  struct Entry {
    std::string_view text;
    int64_t id;
  };
  int32_t base_token(std::string_view alphabet_text);  // -1: none
  void place_entries(std::vector<std::string_view>& texts, std::vector<uint8_t>& placed) const;
  void collect_byte_ids();

  std::string file_;
  std::vector<Entry> entries_;
  std::vector<Entry> added_;
  std::vector<bool> added_special_;
  std::unordered_map<std::string_view, int32_t> base_ids_;  // by bytes; keys point into spec_.tokens
  std::vector<uint8_t> is_added_;
  TokenizerSpec spec_;
  std::string spelled_;  // scratch of base_token
  size_t merge_count_ = 0;
};

}  // namespace qvl
