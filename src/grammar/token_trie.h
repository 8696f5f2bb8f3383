// The bytes of all tokens as a tree in depth-first order, so that tokens with a common beginning are looked at together.
// Immutable, so shared between threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace qvl {

// Added tokens that a grammar may ask for. Each stands for one byte that no UTF-8 text contains.
struct MarkerToken {
  std::string_view content;
  uint8_t byte;
};
inline constexpr uint8_t kFirstMarkerByte = 0xF8;
inline constexpr MarkerToken kToolCallMarker{"<tool_call>", 0xF8}, kToolCallEndMarker{"</tool_call>", 0xF9};

class TokenTrie {
 public:
  struct Node {
    int32_t end;     // the node after this one's subtree
    int32_t token;   // -1: none ends here
    uint16_t depth;  // bytes from the root, 1 for the first
    uint8_t byte;
    uint8_t deepest;  // depth of the deepest node of this one's subtree, at most kDeepest
  };

  static constexpr int32_t kDeepest = 255;

  explicit TokenTrie(const Tokenizer& tokenizer);

  const std::vector<Node>& nodes() const { return nodes_; }
  int32_t tokens() const { return static_cast<int32_t>(bytes_.size()); }  // the tokenizer's size
  size_t words() const { return (bytes_.size() + 63) / 64; }              // of a mask, one bit an id
  size_t longest() const { return longest_; }                             // token in bytes
  // The ids of tokens with more bytes than that.
  std::span<const int32_t> longer_than(int32_t bytes) const;
  // As the grammar sees the token; empty where it never allows it: added tokens without a marker, bytes that no UTF-8 has.
  std::string_view bytes(int32_t id) const { return id >= 0 && id < tokens() ? bytes_[static_cast<size_t>(id)] : std::string_view(); }
  int32_t marker_id(uint8_t byte) const { return marker_ids_[byte - kFirstMarkerByte]; }  // -1: the tokenizer has none

 private:
  void set_deepest();

  std::vector<Node> nodes_;
  std::vector<std::string> bytes_;
  std::vector<int32_t> by_length_;  // the longest first
  int32_t marker_ids_[256 - kFirstMarkerByte];
  size_t longest_ = 1;
};

}  // namespace qvl
