#include "grammar/token_trie.h"

#include <algorithm>
#include <numeric>

namespace qvl {
namespace {

bool may_be_text(std::string_view bytes) {
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<uint8_t>(c) < kFirstMarkerByte; });
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer) : bytes_(static_cast<size_t>(tokenizer.size())) {
  std::fill(std::begin(marker_ids_), std::end(marker_ids_), -1);
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    const auto bytes = tokenizer.token_bytes(id);
    if (bytes && !tokenizer.is_added(id) && may_be_text(*bytes)) bytes_[static_cast<size_t>(id)] = *bytes;
  }
  for (const MarkerToken& marker : {kToolCallMarker, kToolCallEndMarker}) {
    const auto id = tokenizer.added_token_id(marker.content);
    if (!id) continue;
    marker_ids_[marker.byte - kFirstMarkerByte] = *id;
    bytes_[static_cast<size_t>(*id)] = static_cast<char>(marker.byte);
  }

  std::vector<int32_t> order(bytes_.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order, [&](int32_t id) { return bytes(id).empty(); });
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return bytes(a) < bytes(b); });  // as unsigned bytes
  std::vector<int32_t> path;  // nodes from the root to the one before
  std::string_view last;
  for (const int32_t id : order) {
    const std::string_view text = bytes(id);
    size_t common = 0;
    while (common < std::min(last.size(), text.size()) && last[common] == text[common]) ++common;
    for (; path.size() > common; path.pop_back()) nodes_[static_cast<size_t>(path.back())].end = static_cast<int32_t>(nodes_.size());
    for (size_t i = common; i < text.size(); ++i) {
      path.push_back(static_cast<int32_t>(nodes_.size()));
      nodes_.push_back({0, -1, static_cast<uint16_t>(i + 1), static_cast<uint8_t>(text[i]), 0});
    }
    nodes_[static_cast<size_t>(path.back())].token = id;
    longest_ = std::max(longest_, text.size());
    last = text;
  }
  for (const int32_t node : path) nodes_[static_cast<size_t>(node)].end = static_cast<int32_t>(nodes_.size());
  set_deepest();

  by_length_ = std::move(order);
  std::stable_sort(by_length_.begin(), by_length_.end(), [&](int32_t a, int32_t b) { return bytes(a).size() > bytes(b).size(); });
}

void TokenTrie::set_deepest() {
  std::vector<uint8_t> deepest(longest_ + 2, 0);  // of the nodes after this one, by depth, up to the next that is no deeper
  for (size_t i = nodes_.size(); i-- > 0;) {
    Node& node = nodes_[i];
    uint8_t& below = deepest[node.depth + 1u];
    node.deepest = std::max(static_cast<uint8_t>(std::min<int32_t>(node.depth, kDeepest)), below);
    below = 0;
    deepest[node.depth] = std::max(deepest[node.depth], node.deepest);
  }
}

std::span<const int32_t> TokenTrie::longer_than(int32_t count) const {
  const auto end = std::partition_point(by_length_.begin(), by_length_.end(), [&](int32_t id) { return std::ssize(bytes(id)) > count; });
  return {by_length_.begin(), end};
}

}  // namespace qvl
