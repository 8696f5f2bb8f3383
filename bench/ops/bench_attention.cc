// Attention of the CPU backend by itself: a layer of the vision tower, a prompt's chunk late in a context, and decoding, whose
// bytes of keys and values are to be compared with the memory roof of bench_ops.
//
//   bench_attention [instruction set] [threads]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "base/stopwatch.h"
#include "cpu/cpu_backend.h"

namespace {

using namespace qvl;

constexpr double kSeconds = 1;  // of each measurement

std::vector<float> normals(int64_t count) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = normal(rng);
  return out;
}

void vision(Backend& backend, KvFormat format, int64_t patches, int heads, int dim) {
  const int64_t width = int64_t{heads} * dim;
  const auto qkv = normals(patches * 3 * width);
  std::vector<float> y(static_cast<size_t>(patches * width));
  const double s =
      best_seconds(kSeconds, [&] { backend.ops().segment_attention(qkv.data(), patches, patches, heads, dim, 0.125f, format, y.data()); });
  fmt::print("  {} {} patches, {} heads of {}: {:9.2f} ms  {:7.1f} GFLOP/s\n", format == KvFormat::kInt8 ? "int8 " : "plain", patches, heads, dim, s * 1e3,
             4 * static_cast<double>(patches * patches * width) / s / 1e9);
}

void pages(Backend& backend, KvFormat format, int64_t context, int group, int64_t rows) {
  constexpr int kHeads = 8, kDim = 128;
  constexpr int64_t kChunk = 512;
  const int heads = kHeads * group;
  const int64_t width = (heads + 2 * kHeads) * kDim;
  const auto page_count = static_cast<int32_t>(context / KvCache::kPageTokens);
  const auto kv = backend.make_kv_cache(1, kHeads, kDim, page_count, format);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < page_count; ++i) ids.push_back(i);
  const auto x = normals(kChunk * width);
  std::vector<float> y(static_cast<size_t>(rows * heads * kDim));
  for (int64_t past = 0; past < context; past += kChunk) {
    const SequenceRows chunk = {0, kChunk, past, ids};
    backend.ops().kv_write(*kv, 0, x.data() + heads * kDim, x.data() + (heads + kHeads) * kDim, width, {&chunk, 1});
  }
  const SequenceRows last = {0, rows, context - rows, ids};
  const double s = best_seconds(
      kSeconds,
      [&] { backend.ops().paged_attention(*kv, 0, x.data(), width, heads, 0.088f, {&last, 1}, y.data()); });
  fmt::print("  {} {:6} tokens, {:3} rows, {} query heads a key head: {:9.3f} ms  {:6.1f} GB/s  {:7.1f} GFLOP/s\n",
             format == KvFormat::kInt8 ? "int8 " : "plain", context, rows, group, s * 1e3, static_cast<double>(kv->bytes()) / s / 1e9,
             4 * static_cast<double>(rows * (context - rows / 2)) * heads * kDim / s / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const auto backend = make_cpu_backend({.threads = argc > 2 ? std::atoi(argv[2]) : 0, .precision = Precision::kBFloat16,
                                         .instruction_set = argc > 1 ? argv[1] : ""});
  fmt::print("{}\n", backend->description());
  for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
    vision(*backend, format, 3072, 16, 64);
    pages(*backend, format, 8192, 2, 512);
    for (const int64_t context : {8192, 32768, 131072}) {
      for (const int group : {2, 4}) pages(*backend, format, context, group, 1);
    }
  }
}
