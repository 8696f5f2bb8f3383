// Byte-pair merging of one piece of text. Immutable once filled, so shared between threads.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace qvl {

class BpeMerger {
 public:
  // byte_ids[b]: the token of the single byte b.
  void set_byte_ids(const std::array<int32_t, 256>& byte_ids) { byte_ids_ = byte_ids; }
  void reserve(size_t merges);
  // The next merge, in the order of their priority. False where this pair has one already.
  bool add_merge(int32_t left, int32_t right, int32_t product);

  // Appends the piece's tokens to `out`: always the pair of the best merge first, the leftmost where several are equal.
  // O(n log n).
  void encode(std::string_view piece, std::vector<int32_t>& out) const;

 private:
  struct Merge {
    uint64_t pair;  // left << 32 | right; kNoPair: an empty slot
    uint32_t rank;
    int32_t product;
  };
  struct LongPiece;
  static constexpr uint32_t kNoMerge = 0xffffffff;

  size_t slot_of(uint64_t pair) const;
  const Merge& find(int32_t left, int32_t right) const;  // rank kNoMerge where there is none
  void grow(size_t slots);
  void encode_short(std::string_view piece, std::vector<int32_t>& out) const;
  void encode_long(std::string_view piece, std::vector<int32_t>& out) const;

  std::array<int32_t, 256> byte_ids_{};
  std::vector<Merge> slots_;  // open addressing, a power of two, at most half full
  uint32_t count_ = 0;
};

}  // namespace qvl
