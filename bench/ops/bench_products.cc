// The CPU backend's verbs one by one on the shapes of 2B and 4B, beside this machine's own roofs of the same run: linear layers
// with int4, int8 and bfloat16 weights for one row to many, vision attention, and attention of one new token over long contexts.
//
//   bench_ops [linear] [vision] [decode] [--isa NAME] [--threads N] [--seconds S] [--rows 1,512] [--format int4]
//
// S seconds for each figure (default 0.3), the best run counts. Linear layers are read from memory, as a model's are: copies of
// a matrix take turns, so that no cache holds the next one.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/stopwatch.h"
#include "cpu/cpu_backend.h"
#include "cpu/roofs.h"

namespace {

using namespace qvl;

struct Options {
  std::vector<std::string> parts;
  std::string isa, format;
  std::vector<int64_t> rows = {1, 2, 4, 8, 16, 32, 128, 512};
  int threads = 0;
  double seconds = 0.3;
};

std::vector<float> random_floats(int64_t count) {
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = value(random);
  return out;
}

class OpsBench {
 public:
  explicit OpsBench(const Options& options)
      : options_(options), roofs_(measure_roofs(options.threads)),
        backend_(make_cpu_backend({.threads = options.threads, .precision = Precision::kBFloat16, .instruction_set = options.isa})) {
    for (const Roof& roof : roofs_) {
      fmt::print("  {:30} {:9.1f} {}\n", roof.name, roof.rate / 1e9, roof.kind == RoofKind::kRead ? "GB/s" : "G operations/s");
    }
    fmt::print("{}\n", backend_->description());
  }

  void run() {
    if (wants("linear")) linear();
    if (wants("vision")) vision();
    if (wants("decode")) decode();
  }

 private:
  bool wants(const char* part) const {
    return options_.parts.empty() || std::find(options_.parts.begin(), options_.parts.end(), part) != options_.parts.end();
  }

  // what, seconds, bytes read, multiply-adds; the roof of the arithmetic.
  void report(const std::string& what, double seconds, double bytes, double macs, RoofKind kind) const {
    const double rate = bytes / seconds, operations = 2 * macs / seconds;
    fmt::print("  {:44} {:9.3f} ms {:7.1f} GB/s {:4.0f} % {:9.1f} G/s {:4.0f} %\n", what, seconds * 1e3, rate / 1e9,
               100 * rate / best_rate(roofs_, RoofKind::kRead), operations / 1e9, 100 * operations / best_rate(roofs_, kind));
  }

  std::unique_ptr<Linear> make(int64_t out, int64_t in, WeightFormat format) {
    if (auto made = backend_->make_linear(out, in, format, 1)) return made;
    const auto values = random_floats(out * in);
    const ConstTensorView part = {reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {out, in}};
    return backend_->pack_linear({&part, 1}, {}, format);
  }

  void linear() {
    struct Matrix {
      const char* name;
      int64_t in, out;
    };
    constexpr Matrix kMatrices[] = {{"2B qkv", 2048, 4096},     {"2B o", 2048, 2048},  {"2B gate, up", 2048, 12288},
                                    {"2B down", 6144, 2048},    {"4B qkv", 2560, 6144}, {"4B o", 4096, 2560},
                                    {"4B gate, up", 2560, 19456}, {"4B down", 9728, 2560}, {"2B tower fc1", 1024, 4096}};
    constexpr std::pair<const char*, WeightFormat> kFormats[] = {
        {"int4", WeightFormat::kInt4}, {"int8", WeightFormat::kInt8}, {"bfloat16", WeightFormat::kPlain}};
    for (const auto& [name, format] : kFormats) {
      if (!options_.format.empty() && options_.format != name) continue;
      const RoofKind kind = format == WeightFormat::kPlain ? RoofKind::kFloat : RoofKind::kInt8;
      fmt::print("linear, {}: rows x inputs x outputs; of the read roof; of the arithmetic\n", name);
      for (const Matrix& m : kMatrices) {
        const auto copies = copies_of(m.in, m.out, format);
        for (const int64_t rows : options_.rows) product(m.name, copies, rows, kind);
      }
    }
  }

  std::vector<std::unique_ptr<Linear>> copies_of(int64_t in, int64_t out, WeightFormat format) {
    constexpr size_t kBytes = size_t{256} << 20;
    std::vector<std::unique_ptr<Linear>> copies;
    for (size_t bytes = 0; bytes < kBytes; bytes += copies.back()->packed_bytes()) copies.push_back(make(out, in, format));
    return copies;
  }

  void product(const char* name, const std::vector<std::unique_ptr<Linear>>& copies, int64_t rows, RoofKind kind) {
    const Linear& first = *copies[0];
    const auto x = random_floats(rows * first.in_features);
    std::vector<float> y(static_cast<size_t>(rows * first.out_features));
    size_t turn = 0;
    const double seconds = best_seconds(options_.seconds, [&] {
      backend_->ops().linear(*copies[turn++ % copies.size()], x.data(), rows, y.data());
    });
    report(fmt::format("{:13} {:4} x {:5} x {:6}", name, rows, first.in_features, first.out_features), seconds,
           static_cast<double>(first.packed_bytes()),
           static_cast<double>(rows) * static_cast<double>(first.in_features) * static_cast<double>(first.out_features), kind);
  }

  void vision() {
    constexpr int kHeads = 16, kDim = 64;
    fmt::print("vision attention, {} heads of {}\n", kHeads, kDim);
    for (const int64_t patches : {768, 3072}) {
      const int64_t width = int64_t{kHeads} * kDim;
      const auto qkv = random_floats(patches * 3 * width);
      std::vector<float> y(static_cast<size_t>(patches * width));
      const auto p = static_cast<double>(patches);
      for (const auto format : {KvFormat::kPlain, KvFormat::kInt8}) {
        const double seconds = best_seconds(options_.seconds, [&] {
          backend_->ops().segment_attention(qkv.data(), patches, patches, kHeads, kDim, 0.125f, format, y.data());
        });
        report(fmt::format("{} patches, {} bits", patches, format == KvFormat::kPlain ? 16 : 8), seconds, 4 * 4 * p * static_cast<double>(width),
               2 * p * p * static_cast<double>(width), format == KvFormat::kPlain ? RoofKind::kFloat : RoofKind::kInt8);
      }
    }
  }

  // One token against all before it, 4B's heads, two layers that take turns.
  void decode() {
    constexpr int kHeads = 32, kKvHeads = 8, kDim = 128, kLayers = 2;
    constexpr int64_t kBlock = 256, kWidth = kKvHeads * kDim;
    constexpr std::pair<const char*, KvFormat> kFormats[] = {{"16 bits", KvFormat::kPlain}, {"int8", KvFormat::kInt8}};
    const auto made = random_floats(kBlock * 2 * kWidth);
    const auto q = random_floats(kHeads * kDim);
    std::vector<float> out(kHeads * kDim);
    for (const auto& [name, format] : kFormats) {
      fmt::print("attention of one token, {} heads on {} of {}, keys and values {}\n", kHeads, kKvHeads, kDim, name);
      for (const int64_t tokens : {8192, 32768, 131072}) {
        const auto pages = static_cast<int>(tokens / KvCache::kPageTokens);
        const auto cache = backend_->make_kv_cache(kLayers, kKvHeads, kDim, pages, format);
        std::vector<int32_t> order(static_cast<size_t>(pages));
        std::iota(order.begin(), order.end(), 0);
        for (int64_t past = 0; past < tokens; past += kBlock) {
          const SequenceRows rows{.row_begin = 0, .rows = kBlock, .past = past, .pages = order};
          for (int layer = 0; layer < kLayers; ++layer) {
            backend_->ops().kv_write(*cache, layer, made.data(), made.data() + kWidth, 2 * kWidth, {&rows, 1});
          }
        }
        const SequenceRows last{.row_begin = 0, .rows = 1, .past = tokens - 1, .pages = order};
        int turn = 0;
        const double seconds = best_seconds(options_.seconds, [&] {
          backend_->ops().paged_attention(*cache, turn++ % kLayers, q.data(), kHeads * kDim, kHeads, 0.088f, {&last, 1}, out.data());
        });
        report(fmt::format("{} tokens", tokens), seconds, static_cast<double>(cache->bytes()) / kLayers,
               2.0 * kHeads * kDim * static_cast<double>(tokens), RoofKind::kFloat);
      }
    }
  }

  const Options& options_;
  std::vector<Roof> roofs_;
  std::unique_ptr<Backend> backend_;
};

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "linear" || flag == "vision" || flag == "decode") {
      options.parts.push_back(flag);
      continue;
    }
    if (i + 1 == argc) return false;
    const char* const value = argv[++i];
    if (flag == "--isa") {
      options.isa = value;
    } else if (flag == "--format") {
      options.format = value;
    } else if (flag == "--threads") {
      options.threads = std::atoi(value);
    } else if (flag == "--seconds") {
      options.seconds = std::atof(value);
    } else if (flag == "--rows") {
      options.rows.clear();
      for (const char* p = value; p != nullptr; p = std::strchr(p, ',') != nullptr ? std::strchr(p, ',') + 1 : nullptr) {
        options.rows.push_back(std::max(1, std::atoi(p)));
      }
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    fmt::print(stderr, "usage: bench_ops [linear] [vision] [decode] [--isa NAME] [--threads N] [--seconds S] [--rows 1,512] "
                       "[--format int4|int8|bfloat16]\n");
    return 2;
  }
  OpsBench(options).run();
}
