#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>

#include "base/error.h"

namespace qvl {
namespace {

constexpr uint64_t kNoPair = ~uint64_t{0};
// Up to this length scanning the whole piece for its best pair beats a heap.
constexpr size_t kShortPieceBytes = 40;
constexpr uint32_t kNone = 0xffffffff;

uint64_t pair_key(int32_t left, int32_t right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

struct Candidate {
  uint32_t rank;
  uint32_t pos;
  int32_t left, right;  // what the merge was found for: a candidate whose symbols have changed since is stale

  bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : pos > other.pos; }
};

}  // namespace

size_t BpeMerger::slot_of(uint64_t pair) const {
  const size_t mask = slots_.size() - 1;
  uint64_t hash = pair * 0x9e3779b97f4a7c15u;
  size_t slot = static_cast<size_t>(hash ^ hash >> 32) & mask;
  while (slots_[slot].pair != pair && slots_[slot].pair != kNoPair) slot = (slot + 1) & mask;
  return slot;
}

void BpeMerger::grow(size_t slots) {
  std::vector<Merge> old(slots, Merge{kNoPair, kNoMerge, 0});
  old.swap(slots_);
  for (const Merge& merge : old) {
    if (merge.pair != kNoPair) slots_[slot_of(merge.pair)] = merge;
  }
}

void BpeMerger::reserve(size_t merges) {
  const size_t slots = std::bit_ceil(std::max<size_t>(2 * (merges + 1), 16));
  if (slots > slots_.size()) grow(slots);
}

bool BpeMerger::add_merge(int32_t left, int32_t right, int32_t product) {
  reserve(count_ + 1);
  Merge& slot = slots_[slot_of(pair_key(left, right))];
  if (slot.pair != kNoPair) return false;
  slot = {pair_key(left, right), count_++, product};
  return true;
}

const BpeMerger::Merge& BpeMerger::find(int32_t left, int32_t right) const {
  return slots_[slot_of(pair_key(left, right))];
}

void BpeMerger::encode(std::string_view piece, std::vector<int32_t>& out) const {
  if (slots_.empty() || piece.size() <= 1) {
    for (const char c : piece) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
  } else if (piece.size() <= kShortPieceBytes) {
    encode_short(piece, out);
  } else {
    encode_long(piece, out);
  }
}

void BpeMerger::encode_short(std::string_view piece, std::vector<int32_t>& out) const {
  std::array<int32_t, kShortPieceBytes> ids;
  std::array<uint32_t, kShortPieceBytes> ranks;  // of the pair (i, i + 1)
  size_t count = piece.size();
  for (size_t i = 0; i < count; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  for (size_t i = 0; i + 1 < count; ++i) ranks[i] = find(ids[i], ids[i + 1]).rank;
  while (count > 1) {
    const auto best = std::min_element(ranks.begin(), ranks.begin() + static_cast<ptrdiff_t>(count - 1));
    if (*best == kNoMerge) break;
    const auto i = static_cast<size_t>(best - ranks.begin());
    ids[i] = find(ids[i], ids[i + 1]).product;
    std::copy(ids.begin() + static_cast<ptrdiff_t>(i) + 2, ids.begin() + static_cast<ptrdiff_t>(count),
              ids.begin() + static_cast<ptrdiff_t>(i) + 1);
    if (i + 2 < count) {
      std::copy(ranks.begin() + static_cast<ptrdiff_t>(i) + 1, ranks.begin() + static_cast<ptrdiff_t>(count - 1),
                ranks.begin() + static_cast<ptrdiff_t>(i));
    }
    --count;
    if (i + 1 < count) ranks[i] = find(ids[i], ids[i + 1]).rank;
    if (i > 0) ranks[i - 1] = find(ids[i - 1], ids[i]).rank;
  }
  out.insert(out.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(count));
}

// The piece as a linked list of symbols, and a heap of the merges that its neighbours allow.
struct BpeMerger::LongPiece {
  struct Symbol {
    int32_t id;  // -1: merged into a symbol before it
    uint32_t previous, next;
  };
  const BpeMerger& merger;
  std::vector<Symbol> symbols;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;

  void consider(uint32_t pos) {
    const uint32_t next = symbols[pos].next;
    if (next == kNone) return;
    const int32_t left = symbols[pos].id, right = symbols[next].id;
    const Merge& merge = merger.find(left, right);
    if (merge.rank != kNoMerge) candidates.push({merge.rank, pos, left, right});
  }

  void merge_best() {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbols[best.pos];
    if (left.id != best.left || left.next == kNone || symbols[left.next].id != best.right) return;
    Symbol& right = symbols[left.next];
    left.id = merger.find(best.left, best.right).product;
    left.next = right.next;
    right.id = -1;
    if (left.next != kNone) symbols[left.next].previous = best.pos;
    if (left.previous != kNone) consider(left.previous);
    consider(best.pos);
  }
};

void BpeMerger::encode_long(std::string_view piece, std::vector<int32_t>& out) const {
  if (piece.size() >= kNone) {
    throw Error(ErrorKind::kTooLarge, "too_large", "expected text below 4 GiB");
  }
  LongPiece work{*this, std::vector<LongPiece::Symbol>(piece.size()), {}};
  const auto count = static_cast<uint32_t>(piece.size());
  for (uint32_t i = 0; i < count; ++i) {
    work.symbols[i] = {byte_ids_[static_cast<unsigned char>(piece[i])], i == 0 ? kNone : i - 1,
                       i + 1 == count ? kNone : i + 1};
  }
  for (uint32_t i = 0; i < count; ++i) work.consider(i);
  while (!work.candidates.empty()) work.merge_best();
  for (const auto& symbol : work.symbols) {
    if (symbol.id >= 0) out.push_back(symbol.id);
  }
}

}  // namespace qvl
