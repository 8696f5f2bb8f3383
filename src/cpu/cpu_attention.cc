#include "cpu/cpu_attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "cpu/packing.h"

namespace qvl::cpu {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }
int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }
bool is_int(PageFormat format) { return format != PageFormat::kFloat32 && format != PageFormat::kBFloat16; }
IntForm int_form(PageFormat format) {
  return format == PageFormat::kInt16 ? IntForm::kInt16 : format == PageFormat::kInt8 ? IntForm::kInt8 : IntForm::kQuads;
}

// One head's tokens of one page: of floats the keys as panels of [tokens, dim], then the values as panels of [dim, tokens].
struct PageShape {
  PageShape(int d, int page_tokens, PageFormat page_format) : format(page_format), dim(d), tokens(page_tokens) {
    if (is_int(format)) {
      ints = int_page_shape(dim, tokens, int_form(format));
      bytes = at(ints.bytes);
    } else {
      values = at(panel_count(tokens)) * panel_bytes(dim, bf16());
      bytes = values + at(panel_count(dim)) * panel_bytes(tokens, bf16());
    }
  }
  bool bf16() const { return format == PageFormat::kBFloat16; }

  PageFormat format;
  int dim, tokens;
  size_t values = 0, bytes;  // values: their offset; in pages of floats only
  IntPageShape ints = {};
};

struct CpuKvCache : KvCache {
  CpuKvCache(int l, int h, int p, const PageShape& page_shape)
      : KvCache(l, h, page_shape.dim, p), shape(page_shape), data(at(l) * at(p) * at(h) * shape.bytes, true) {}
  size_t bytes() const override { return data.size(); }
  size_t offset(int layer, int64_t page, int64_t head) const {
    return ((at(layer) * at(pages) + at(page)) * at(num_kv_heads) + at(head)) * shape.bytes;
  }
  PageShape shape;
  Buffer data;  // [layer][page][head]
};

// Tokens first_slot.. of one page; key and value of the next token lie `stride` floats on. centre: PutTokensArgs::key_centre, of quads.
void put_tokens(const KernelTable& table, const PageShape& shape, std::byte* page, int64_t first_slot, int64_t tokens,
                const float* key, const float* value, int64_t stride, const float* centre = nullptr) {
  if (is_int(shape.format)) {
    table.put_tokens({.k = key, .v = value, .row_stride = stride, .tokens = tokens, .first_slot = first_slot,
                      .shape = &shape.ints, .page = page, .key_centre = centre});
    return;
  }
  for (int64_t slot = first_slot; slot < first_slot + tokens; ++slot, key += stride, value += stride) {
    for (int d = 0; d < shape.dim; ++d) {
      const size_t key_index = panel_index(slot, d, shape.dim, shape.bf16());
      const size_t value_index = panel_index(d, slot, shape.tokens, shape.bf16());
      if (shape.bf16()) {
        reinterpret_cast<BF16*>(page)[key_index] = to_bf16(key[d]);
        reinterpret_cast<BF16*>(page + shape.values)[value_index] = to_bf16(value[d]);
      } else {
        reinterpret_cast<float*>(page)[key_index] = key[d];
        reinterpret_cast<float*>(page + shape.values)[value_index] = value[d];
      }
    }
  }
}

// mean[width] of rows that lie `stride` floats apart; of numbers that are not all finite, whatever they give.
void mean_rows(const float* x, int64_t rows, int64_t stride, int64_t width, float* mean) {
  std::fill_n(mean, width, 0.0f);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width; ++i) mean[i] += x[r * stride + i];
  }
  for (int64_t i = 0; i < width; ++i) mean[i] /= static_cast<float>(rows);
}

// What some spans give for a tile of queries: to be multiplied by 2^top and divided by total.
struct Part {
  float *out, *top, *total;  // [rows, padded_dim], [rows], [rows]
};

void clear(const Part& part, int64_t rows, int64_t width) {
  std::fill_n(part.out, rows * width, 0.0f);
  std::fill_n(part.top, rows, -INFINITY);
  std::fill_n(part.total, rows, 0.0f);
}

void join(const Part& sum, const Part& next, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r) {
    if (next.top[r] == -INFINITY && next.total[r] == 0) continue;  // the row sees nothing of that span
    const float top = std::max(sum.top[r], next.top[r]);
    const float a = std::exp2(sum.top[r] - top), b = std::exp2(next.top[r] - top);
    sum.top[r] = top;
    sum.total[r] = sum.total[r] * a + next.total[r] * b;
    for (int64_t i = r * width; i < (r + 1) * width; ++i) sum.out[i] = sum.out[i] * a + next.out[i] * b;
  }
}

// Queries of one sequence: of `heads` key heads, `rows` each.
struct Tile {
  const PageShape& shape;
  const float* q;  // [heads, rows, dim], scaled, dense
  int64_t rows, heads;
  const int64_t* visible;              // [rows]
  std::span<const void* const> pages;  // of the first head
  int64_t all() const { return rows * heads; }
  int64_t width() const { return round_up(shape.dim, kPanel); }
};

void attend_span(const KernelTable& table, const Tile& tile, int64_t span, const Part& part) {
  table.attention_int({.q = tile.q, .rows = tile.rows, .heads = tile.heads, .shape = &tile.shape.ints, .pages = tile.pages.data(),
                       .begin = span * CpuAttention::kSpanTokens, .end = (span + 1) * CpuAttention::kSpanTokens,
                       .visible = tile.visible, .out = part.out, .top = part.top, .total = part.total});
}

void divide(const Part& part, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; ++r) {
    const float scale = 1.0f / part.total[r];
    for (int64_t i = r * width; i < (r + 1) * width; ++i) part.out[i] *= scale;
  }
}

int64_t span_count(int64_t tokens) { return (tokens + CpuAttention::kSpanTokens - 1) / CpuAttention::kSpanTokens; }

// out[rows, width]: room for kMaxAttentionRows rows.
void attend_ints(const KernelTable& table, const Tile& tile, float* out) {
  float next[kMaxAttentionRows * kMaxHeadDim], tops[2][kMaxAttentionRows], totals[2][kMaxAttentionRows];
  const Part sum = {out, tops[0], totals[0]}, span_part = {next, tops[1], totals[1]};
  clear(sum, tile.all(), tile.width());
  const int64_t spans = span_count(tile.visible[tile.rows - 1]);
  for (int64_t span = 0; span < spans; ++span) {
    attend_span(table, tile, span, span_part);
    join(sum, span_part, tile.all(), tile.width());
  }
  divide(sum, tile.all(), tile.width());
}

void attend_floats(const KernelTable& table, const Tile& tile, float* out) {
  std::vector<const void*> values(tile.pages.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<const std::byte*>(tile.pages[i]) + tile.shape.values;
  (tile.shape.bf16() ? table.attention_bf16 : table.attention)(
      {.q = tile.q, .rows = tile.rows, .dim = tile.shape.dim, .k_pages = tile.pages.data(), .v_pages = values.data(),
       .page_tokens = tile.shape.tokens, .bf16 = tile.shape.bf16(), .visible = tile.visible, .out = out});
}

void attend(const KernelTable& table, const Tile& tile, float* out) {
  is_int(tile.shape.format) ? attend_ints(table, tile, out) : attend_floats(table, tile, out);
}

}  // namespace

CpuAttention::CpuAttention(const KernelTable& table, ThreadPool& pool, Precision precision)
    : table_(table), pool_(pool),
      plain_(precision == Precision::kFloat32          ? PageFormat::kFloat32
             : table.attention_bf16 != nullptr ? PageFormat::kBFloat16
                                               : PageFormat::kInt16) {}

PageFormat CpuAttention::page_format(KvFormat format) const { return format == KvFormat::kInt8 ? PageFormat::kInt8 : plain_; }

std::unique_ptr<KvCache> CpuAttention::make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages,
                                                     KvFormat format) const {
  QVL_CHECK(head_dim <= kMaxHeadDim, "a head of {}", head_dim);
  return std::make_unique<CpuKvCache>(layers, num_kv_heads, pages,
                                      PageShape(head_dim, KvCache::kPageTokens, page_format(format)));
}

size_t CpuAttention::kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format) const {
  return at(layers) * at(num_kv_heads) * PageShape(head_dim, KvCache::kPageTokens, page_format(format)).bytes;
}

void CpuAttention::kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                            std::span<const SequenceRows> sequences) {
  auto& kv = static_cast<CpuKvCache&>(cache);
  for (const auto& s : sequences) {
    // Two tokens share the words of a value page, so a thread takes whole heads.
    pool_.parallel_for(kv.num_kv_heads, s.rows > 8 ? 1 : kv.num_kv_heads, [&](int64_t begin, int64_t end, int) {
      for (int64_t h = begin; h < end; ++h) {
        for (int64_t i = 0; i < s.rows;) {
          const int64_t token = s.past + i, slot = token % KvCache::kPageTokens;
          const int64_t count = std::min(s.rows - i, KvCache::kPageTokens - slot);
          const int64_t from = (s.row_begin + i) * row_stride + h * kv.head_dim;
          put_tokens(table_, kv.shape, kv.data.data() + kv.offset(layer, s.pages[at(token / KvCache::kPageTokens)], h), slot,
                     count, k + from, v + from, row_stride);
          i += count;
        }
      }
    });
  }
}

void CpuAttention::paged(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                         std::span<const SequenceRows> sequences, float* out) {
  const auto& kv = static_cast<const CpuKvCache&>(cache);
  const int64_t dim = kv.head_dim, group = heads / kv.num_kv_heads, width = round_up(dim, kPanel);
  const int64_t tile_tokens = std::max<int64_t>(1, kMaxAttentionRows / group);
  QVL_CHECK(group <= kMaxAttentionRows, "{} query heads a key head", group);
  struct Task {
    const SequenceRows* sequence;
    int64_t first, kv_head, heads;  // first: token of the tile
    int64_t span;                   // or -1: all of them
    int64_t part;                   // where its result goes
  };
  const auto tile_of = [&](const Task& task) { return std::min(tile_tokens, task.sequence->rows - task.first); };
  const auto spans_of = [&](const Task& task) { return span_count(task.sequence->past + task.first + tile_of(task)); };
  // Heads of a page lie side by side: together they are one long way through memory, where enough tasks remain for all threads.
  constexpr int64_t kTasksPerThread = 4;
  const int64_t enough = kTasksPerThread * pool_.size();
  const auto side_heads = [&](const SequenceRows& s) -> int64_t {
    if (!is_int(kv.shape.format) || s.rows > tile_tokens) return 1;
    const int64_t room = std::min<int64_t>({kMaxSideHeads, kMaxAttentionRows / (s.rows * group), kv.num_kv_heads});
    const int64_t pieces = kv.num_kv_heads * span_count(s.past + s.rows) * static_cast<int64_t>(sequences.size());
    return std::clamp<int64_t>(pieces / enough, 1, room);
  };
  std::vector<Task> tasks;
  for (const auto& s : sequences) {
    const int64_t together = side_heads(s);
    // The last tile attends to most: it goes first, so that no thread ends with it alone.
    for (int64_t tile = (s.rows + tile_tokens - 1) / tile_tokens - 1; tile >= 0; --tile) {
      for (int64_t h = 0; h < kv.num_kv_heads; h += together) {
        tasks.push_back({&s, tile * tile_tokens, h, std::min(together, kv.num_kv_heads - h), -1, -1});
      }
    }
  }
  // Too few for all threads: a task each for every span.
  const bool split = is_int(kv.shape.format) && pool_.size() > 1 && static_cast<int64_t>(tasks.size()) < enough;
  const int64_t part_floats = kMaxAttentionRows * (width + 2);
  std::vector<Task> shared;  // of `tasks`, those whose spans are tasks
  if (split) {
    std::vector<Task> pieces;
    int64_t parts = 0;
    for (Task& task : tasks) {
      const int64_t spans = spans_of(task);
      if (spans == 1) {
        pieces.push_back(task);
        continue;
      }
      task.part = parts;
      shared.push_back(task);
      for (int64_t span = 0; span < spans; ++span) {
        pieces.push_back({task.sequence, task.first, task.kv_head, task.heads, span, parts++});
      }
    }
    tasks = std::move(pieces);
    parts_.grow(parts * part_floats);
  }
  const auto part_at = [&](int64_t index) {
    float* const p = parts_.data() + index * part_floats;
    return Part{p, p + kMaxAttentionRows * width, p + kMaxAttentionRows * (width + 1)};
  };
  // Row r of a task, [heads][tokens of the tile][group]: its token and its query head.
  const auto place_of = [&](const Task& task, int64_t r) {
    const int64_t rows = tile_of(task) * group;
    return std::pair{task.first + r % rows / group, (task.kv_head + r / rows) * group + r % group};
  };
  const auto scatter = [&](const Task& task, const float* result) {
    for (int64_t r = 0; r < tile_of(task) * group * task.heads; ++r) {
      const auto [token, head] = place_of(task, r);
      std::memcpy(out + ((task.sequence->row_begin + token) * heads + head) * dim, result + r * width, at(dim) * sizeof(float));
    }
  };
  pool_.parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end, int) {
    alignas(64) float queries[kMaxAttentionRows * kMaxHeadDim], result[kMaxAttentionRows * kMaxHeadDim];
    int64_t visible[kMaxAttentionRows];
    std::vector<const void*> pages;
    for (int64_t i = begin; i < end; ++i) {
      const Task& task = tasks[at(i)];
      const SequenceRows& s = *task.sequence;
      const int64_t rows = tile_of(task) * group;
      for (int64_t r = 0; r < rows * task.heads; ++r) {
        const auto [token, head] = place_of(task, r);
        const float* const from = q + (s.row_begin + token) * row_stride + head * dim;
        for (int64_t d = 0; d < dim; ++d) queries[r * dim + d] = from[d] * scale;
        if (r < rows) visible[r] = s.past + token + 1;
      }
      pages.resize(at((visible[rows - 1] + KvCache::kPageTokens - 1) / KvCache::kPageTokens));
      for (size_t p = 0; p < pages.size(); ++p) pages[p] = kv.data.data() + kv.offset(layer, s.pages[p], task.kv_head);
      const Tile tile = {kv.shape, queries, rows, task.heads, visible, pages};
      if (task.span >= 0) {
        attend_span(table_, tile, task.span, part_at(task.part));
      } else {
        attend(table_, tile, result);
        scatter(task, result);
      }
    }
  });
  pool_.parallel_for(static_cast<int64_t>(shared.size()), 1, [&](int64_t begin, int64_t end, int) {
    float sum_out[kMaxAttentionRows * kMaxHeadDim], top[kMaxAttentionRows], total[kMaxAttentionRows];
    const Part sum = {sum_out, top, total};
    for (int64_t i = begin; i < end; ++i) {
      const Task& task = shared[at(i)];
      const int64_t rows = tile_of(task) * group * task.heads, spans = spans_of(task);
      clear(sum, rows, width);
      for (int64_t span = 0; span < spans; ++span) join(sum, part_at(task.part + span), rows, width);
      divide(sum, rows, width);
      scatter(task, sum.out);
    }
  });
}

void CpuAttention::segments(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat format,
                            float* out) {
  QVL_CHECK(dim <= kMaxHeadDim, "vision head of {}", dim);
  const bool quads = format == KvFormat::kInt8 && plain_ == PageFormat::kInt16 && table_.attention_quads;
  const PageFormat page_form = quads ? PageFormat::kQuads : plain_;
  const int page_tokens = is_int(page_form) ? block_tokens(int_form(page_form)) : kAttentionBlock;
  const PageShape shape(dim, page_tokens, page_form);
  const int64_t width = int64_t{heads} * dim, padded_dim = round_up(dim, kPanel);
  const int64_t pages = (segment_rows + page_tokens - 1) / page_tokens;
  const int64_t tiles = (segment_rows + kMaxAttentionRows - 1) / kMaxAttentionRows;
  // As many heads at a time as some megabytes hold: the threads wait for each other once for all of them.
  constexpr int64_t kPagesBytes = int64_t{16} << 20;
  const int64_t head_bytes = pages * static_cast<int64_t>(shape.bytes);
  const int64_t together = std::clamp<int64_t>(kPagesBytes / head_bytes, 1, heads);
  // Zeroed: where a segment is no whole number of pages, the unused slots hold numbers all the same.
  pages_.grow(at(together * head_bytes), true);
  for (int64_t segment = 0; segment < rows; segment += segment_rows) {
    for (int64_t first_head = 0; first_head < heads; first_head += together) {
      const int64_t count = std::min(together, heads - first_head);
      const float* const q = qkv + segment * 3 * width + first_head * dim;
      if (quads) {  // eight bits go further around the keys' middle
        centres_.grow(count * dim);
        pool_.parallel_for(count, 1, [&](int64_t begin, int64_t end, int) {
          for (int64_t head = begin; head < end; ++head) mean_rows(q + width + head * dim, segment_rows, 3 * width, dim, centres_.data() + head * dim);
        });
      }
      const auto page_at = [&](int64_t head, int64_t page) { return pages_.data() + (head * pages + page) * static_cast<int64_t>(shape.bytes); };
      pool_.parallel_for(count * pages, 4, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % pages * page_tokens, tokens = std::min<int64_t>(page_tokens, segment_rows - first);
          const float* const key = q + first * 3 * width + width + i / pages * dim;
          put_tokens(table_, shape, page_at(i / pages, i % pages), 0, tokens, key, key + width, 3 * width,
                     quads ? centres_.data() + i / pages * dim : nullptr);
        }
      });
      pool_.parallel_for(count * tiles, 1, [&](int64_t begin, int64_t end, int) {
        alignas(64) float queries[kMaxAttentionRows * kMaxHeadDim], result[kMaxAttentionRows * kMaxHeadDim];
        int64_t visible[kMaxAttentionRows];
        std::fill_n(visible, kMaxAttentionRows, segment_rows);
        std::vector<const void*> head_pages(at(pages));
        for (int64_t i = begin; i < end; ++i) {
          const int64_t head = i / tiles, first = i % tiles * kMaxAttentionRows;
          const int64_t tile_rows = std::min<int64_t>(kMaxAttentionRows, segment_rows - first);
          for (int64_t r = 0; r < tile_rows; ++r) {
            const float* const from = q + (first + r) * 3 * width + head * dim;
            for (int d = 0; d < dim; ++d) queries[r * dim + d] = from[d] * scale;
          }
          for (int64_t p = 0; p < pages; ++p) head_pages[at(p)] = page_at(head, p);
          attend(table_, {shape, queries, tile_rows, 1, visible, head_pages}, result);
          for (int64_t r = 0; r < tile_rows; ++r) {
            std::memcpy(out + (segment + first + r) * width + (first_head + head) * dim, result + r * padded_dim,
                        at(dim) * sizeof(float));
          }
        }
      });
    }
  }
}

}  // namespace qvl::cpu
