#include "cpu/cpu_attention.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "cpu/packing.h"

namespace qvl::cpu {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }
int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

// Per layer, page and head: the keys as panels of [32 tokens, dim], then the values as panels of [dim, 32 tokens].
struct CpuKvCache : KvCache {
  CpuKvCache(int l, int h, int d, int p, bool is_bf16)
      : KvCache(l, h, d, p), bf16(is_bf16), k_bytes(key_bytes(d, is_bf16)), head_bytes(k_bytes + value_bytes(d, is_bf16)),
        data(at(l) * at(p) * at(h) * head_bytes, true) {}
  static size_t key_bytes(int dim, bool bf16) { return at(panel_count(kPageTokens)) * panel_bytes(dim, bf16); }
  static size_t value_bytes(int dim, bool bf16) { return at(panel_count(dim)) * panel_bytes(kPageTokens, bf16); }
  size_t bytes() const override { return data.size(); }
  size_t offset(int layer, int64_t page, int head) const {
    return ((at(layer) * at(pages) + at(page)) * at(num_kv_heads) + at(head)) * head_bytes;
  }
  bool bf16;
  size_t k_bytes, head_bytes;
  Buffer data;
};

// One token's key and value into slot `slot` of a page of page_tokens.
void put_token(std::byte* keys, std::byte* values, int64_t slot, int64_t page_tokens, const float* key, const float* value,
               int dim, bool bf16) {
  for (int d = 0; d < dim; ++d) {
    const size_t key_index = panel_index(slot, d, dim, bf16), value_index = panel_index(d, slot, page_tokens, bf16);
    if (bf16) {
      reinterpret_cast<BF16*>(keys)[key_index] = to_bf16(key[d]);
      reinterpret_cast<BF16*>(values)[value_index] = to_bf16(value[d]);
    } else {
      reinterpret_cast<float*>(keys)[key_index] = key[d];
      reinterpret_cast<float*>(values)[value_index] = value[d];
    }
  }
}

}  // namespace

std::unique_ptr<KvCache> CpuAttention::make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, Precision precision) {
  return std::make_unique<CpuKvCache>(layers, num_kv_heads, head_dim, pages, precision == Precision::kBFloat16);
}

size_t CpuAttention::kv_page_bytes(int layers, int num_kv_heads, int head_dim, Precision precision) {
  const bool bf16 = precision == Precision::kBFloat16;
  return at(layers) * at(num_kv_heads) * (CpuKvCache::key_bytes(head_dim, bf16) + CpuKvCache::value_bytes(head_dim, bf16));
}

void CpuAttention::attend(const AttentionArgs& args) const {
  (rounds_ && args.bf16 ? table_.attention_bf16 : table_.attention)(args);
}

void CpuAttention::kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                            std::span<const SequenceRows> sequences) {
  auto& kv = static_cast<CpuKvCache&>(cache);
  const int dim = kv.head_dim;
  for (const auto& s : sequences) {
    // Two tokens share the words of a value page, so a thread takes whole heads.
    pool_.parallel_for(kv.num_kv_heads, s.rows > 8 ? 1 : kv.num_kv_heads, [&](int64_t begin, int64_t end, int) {
      for (int64_t h = begin; h < end; ++h) {
        for (int64_t i = 0; i < s.rows; ++i) {
          const int64_t token = s.past + i, slot = token % KvCache::kPageTokens;
          const float* const key = k + (s.row_begin + i) * row_stride + h * dim;
          const float* const value = v + (s.row_begin + i) * row_stride + h * dim;
          std::byte* const page =
              kv.data.data() + kv.offset(layer, s.pages[at(token / KvCache::kPageTokens)], static_cast<int>(h));
          put_token(page, page + kv.k_bytes, slot, KvCache::kPageTokens, key, value, dim, kv.bf16);
        }
      }
    });
  }
}

void CpuAttention::paged(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                         std::span<const SequenceRows> sequences, float* out) {
  const auto& kv = static_cast<const CpuKvCache&>(cache);
  const int dim = kv.head_dim, group = heads / kv.num_kv_heads;
  const int padded_dim = static_cast<int>(round_up(dim, kPanel));
  const int tile_tokens = std::max(1, kMaxAttentionRows / group);
  QVL_CHECK(group <= kMaxAttentionRows && dim <= kMaxHeadDim, "{} query heads a key head of {}", group, dim);
  for (const auto& s : sequences) {
    const int64_t tiles = (s.rows + tile_tokens - 1) / tile_tokens;
    // The last tile attends to most: it goes first, so that no thread ends with it alone.
    pool_.parallel_for(tiles * kv.num_kv_heads, 1, [&](int64_t begin, int64_t end, int) {
      alignas(64) float tile[kMaxAttentionRows * kMaxHeadDim], result[kMaxAttentionRows * kMaxHeadDim];
      int64_t visible[kMaxAttentionRows];
      std::vector<const void*> k_pages, v_pages;
      for (int64_t task = begin; task < end; ++task) {
        const int64_t first = (tiles - 1 - task / kv.num_kv_heads) * tile_tokens, kv_head = task % kv.num_kv_heads;
        const int64_t tokens = std::min<int64_t>(tile_tokens, s.rows - first);
        for (int64_t r = 0; r < tokens * group; ++r) {
          const int64_t token = first + r / group, head = kv_head * group + r % group;
          const float* const from = q + (s.row_begin + token) * row_stride + head * dim;
          for (int d = 0; d < dim; ++d) tile[r * dim + d] = from[d] * scale;
          visible[r] = s.past + token + 1;
        }
        const int64_t pages = (s.past + first + tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
        k_pages.resize(at(pages)), v_pages.resize(at(pages));
        for (int64_t i = 0; i < pages; ++i) {
          const std::byte* const page = kv.data.data() + kv.offset(layer, s.pages[at(i)], static_cast<int>(kv_head));
          k_pages[at(i)] = page;
          v_pages[at(i)] = page + kv.k_bytes;
        }
        attend({.q = tile, .rows = tokens * group, .dim = dim, .k_pages = k_pages.data(), .v_pages = v_pages.data(),
                .page_tokens = KvCache::kPageTokens, .bf16 = kv.bf16, .visible = visible, .out = result});
        for (int64_t r = 0; r < tokens * group; ++r) {
          const int64_t row = s.row_begin + first + r / group, head = kv_head * group + r % group;
          std::memcpy(out + (row * heads + head) * dim, result + r * padded_dim, at(dim) * sizeof(float));
        }
      }
    });
  }
}

void CpuAttention::segments(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, float* out) {
  constexpr int kPage = kAttentionBlock;
  QVL_CHECK(dim <= kMaxHeadDim, "vision head of {}", dim);
  const int64_t width = int64_t{heads} * dim, padded_dim = round_up(dim, kPanel);
  const int64_t pages = (segment_rows + kPage - 1) / kPage;
  const size_t key_bytes = at(kPage / kPanel) * panel_bytes(dim, rounds_);
  const size_t value_bytes = at(padded_dim / kPanel) * panel_bytes(kPage, rounds_);
  // Zeroed: where a segment is no whole number of pages, the unused slots hold numbers all the same.
  if (keys_.size() < at(pages) * key_bytes) keys_ = Buffer(at(pages) * key_bytes, true);
  if (values_.size() < at(pages) * value_bytes) values_ = Buffer(at(pages) * value_bytes, true);
  std::vector<const void*> k_pages(at(pages)), v_pages(at(pages));
  for (int64_t i = 0; i < pages; ++i) {
    k_pages[at(i)] = keys_.data() + at(i) * key_bytes;
    v_pages[at(i)] = values_.data() + at(i) * value_bytes;
  }
  const int64_t tiles = (segment_rows + kMaxAttentionRows - 1) / kMaxAttentionRows;
  for (int64_t segment = 0; segment < rows; segment += segment_rows) {
    for (int h = 0; h < heads; ++h) {
      const float* const q = qkv + segment * 3 * width + h * dim;
      pool_.parallel_for(pages, 4, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin * kPage; t < std::min(end * kPage, segment_rows); ++t) {
          const float* const key = q + t * 3 * width + width;
          const float* const value = key + width;
          put_token(keys_.data() + at(t / kPage) * key_bytes, values_.data() + at(t / kPage) * value_bytes, t % kPage, kPage,
                    key, value, dim, rounds_);
        }
      });
      pool_.parallel_for(tiles, 1, [&](int64_t begin, int64_t end, int) {
        alignas(64) float tile[kMaxAttentionRows * kMaxHeadDim], result[kMaxAttentionRows * kMaxHeadDim];
        int64_t visible[kMaxAttentionRows];
        std::fill_n(visible, kMaxAttentionRows, segment_rows);
        for (int64_t first = begin * kMaxAttentionRows; first < std::min(end * kMaxAttentionRows, segment_rows);
             first += kMaxAttentionRows) {
          const int64_t count = std::min<int64_t>(kMaxAttentionRows, segment_rows - first);
          for (int64_t r = 0; r < count; ++r) {
            for (int d = 0; d < dim; ++d) tile[r * dim + d] = q[(first + r) * 3 * width + d] * scale;
          }
          attend({.q = tile, .rows = count, .dim = dim, .k_pages = k_pages.data(), .v_pages = v_pages.data(),
                  .page_tokens = kPage, .bf16 = rounds_, .visible = visible, .out = result});
          for (int64_t r = 0; r < count; ++r) {
            std::memcpy(out + (segment + first + r) * width + h * dim, result + r * padded_dim, at(dim) * sizeof(float));
          }
        }
      });
    }
  }
}

}  // namespace qvl::cpu
