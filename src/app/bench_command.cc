// Times a model: prefill, decode, the vision tower, and a picture with a short question to the first token. `made:NAME`
// fills the true shapes of a family member with made weights, so that nothing has to be downloaded.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <numeric>

#include "app/commands.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "model/known_models.h"
#include "model/rope_positions.h"
#include "weights/made_weights.h"
#include "weights/weight_store.h"

namespace qvl {
namespace {

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct BenchModel {
  ModelConfig config;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
};

BenchModel load_bench_model(const ModelFlags& flags) {
  constexpr std::string_view kMade = "made:";
  BenchModel out;
  out.backend = make_backend(flags.load_options());
  std::unique_ptr<WeightStore> store;
  if (flags.model.rfind(kMade, 0) == 0) {
    const std::string name = flags.model.substr(kMade.size());
    const auto config = known_model(name);
    if (!config) {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "--model made:{}: expected one of {}", printable(name),
                  fmt::format("{}", fmt::join(known_model_names(), ", ")));
    }
    out.config = *config;
    std::vector<std::pair<std::string, Shape>> tensors;
    for (const auto& spec : expected_tensors(out.config)) tensors.emplace_back(spec.name, spec.shape);
    store = made_weights(std::move(tensors), 1);
  } else {
    const auto folder = find_model(flags.model);
    out.config = load_model_config(folder);
    store = open_safetensors(folder);
  }
  out.model = std::make_unique<Model>(*out.backend, *store, out.config);
  return out;
}

// One sequence in a cache of its own, fed chunk by chunk as the engine does it.
class BenchSequence {
 public:
  BenchSequence(BenchModel& model, int64_t tokens, int64_t chunk) : model_(model), chunk_(chunk) {
    const auto pages = static_cast<int>(tokens / KvCache::kPageTokens + 1);
    cache_ = model.model->language.make_kv_cache(pages);
    pages_.resize(static_cast<size_t>(pages));
    std::iota(pages_.begin(), pages_.end(), 0);
  }

  void prefill(int64_t tokens, const VisionFeatures* features = nullptr, int64_t picture_begin = 0, int rows = 0, int columns = 0) {
    std::vector<VisualRun> runs;
    if (features != nullptr) runs.push_back({picture_begin, rows, columns});
    const RopePositions positions = rope_positions(tokens, runs);
    delta_ = positions.rope_delta;
    for (int64_t begin = 0; begin < tokens; begin += chunk_) {
      const int64_t count = std::min(chunk_, tokens - begin);
      Batch batch;
      for (int64_t i = 0; i < count; ++i) batch.token_ids.push_back(static_cast<int32_t>((begin + i) * 7919 % 1000));
      for (int64_t axis = 0; axis < 3; ++axis) {
        const auto from = positions.ids.begin() + axis * tokens + begin;
        batch.positions.insert(batch.positions.end(), from, from + count);
      }
      if (features != nullptr) {
        const int64_t from = std::max(begin, picture_begin), to = std::min(begin + count, picture_begin + features->tokens);
        if (from < to) batch.visuals = {{from - begin, to - from, features, from - picture_begin}};
      }
      if (begin + count == tokens) batch.logit_rows = {count - 1};
      run(std::move(batch), count);
    }
  }

  void decode_one() {
    const auto position = static_cast<int32_t>(length_ + delta_);
    Batch batch;
    batch.token_ids = {17};
    batch.positions = {position, position, position};
    batch.logit_rows = {0};
    run(std::move(batch), 1);
  }

 private:
  void run(Batch batch, int64_t rows) {
    batch.sequences = {{.row_begin = 0, .rows = rows, .past = length_, .pages = pages_}};
    model_.model->language.forward(batch, *cache_);
    length_ += rows;
  }

  BenchModel& model_;
  int64_t chunk_, length_ = 0;
  int32_t delta_ = 0;
  std::unique_ptr<KvCache> cache_;
  std::vector<int32_t> pages_;
};

struct Row {
  std::string test;
  int64_t tokens;
  double ms;
};

class Bench {
 public:
  explicit Bench(const BenchFlags& flags) : flags_(flags), model_(load_bench_model(flags.model)) {
    if (std::sscanf(flags.image.c_str(), "%dx%d", &width_, &height_) != 2 || width_ < 32 || height_ < 32 || width_ > 8192 || height_ > 8192) {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "--image: expected WIDTHxHEIGHT such as 1024x768, found \"{}\"", printable(flags.image));
    }
  }

  int run() {
    text();
    picture();
    flags_.json ? print_json() : print_table();
    return 0;
  }

 private:
  void add(const std::string& test, int64_t tokens, double seconds) {
    rows_.push_back({test, tokens, seconds * 1e3});
    log_info("{} {}: {:.2f} s, {:.2f} tokens/s", test, tokens, seconds, static_cast<double>(tokens) / seconds);
  }

  void text() {
    BenchSequence(model_, 64, flags_.chunk).prefill(16);  // touches every weight once
    BenchSequence sequence(model_, flags_.prompt + flags_.generate + 1, flags_.chunk);
    const double start = now_s();
    sequence.prefill(flags_.prompt);
    const double middle = now_s();
    add("prefill", flags_.prompt, middle - start);
    for (int i = 0; i < flags_.generate; ++i) sequence.decode_one();
    add("decode", flags_.generate, now_s() - middle);
  }

  void picture() {
    ProcessorConfig processor;
    processor.patch_size = model_.config.vision.patch_size;
    const Size size = smart_resize(height_, width_, processor.factor(), processor.image);
    Image image{.width = size.width, .height = size.height, .rgb = {}};
    image.rgb.resize(static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3);
    for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
    const double start = now_s();
    const Patches patches = patchify({&image, 1}, processor);
    const VisionFeatures features = model_.model->vision.forward(patches.grid, patches.values);
    const double encoded = now_s();
    add("image", features.tokens, encoded - start);
    constexpr int64_t kBefore = 5, kText = 20;
    BenchSequence sequence(model_, features.tokens + kText + 1, flags_.chunk);
    sequence.prefill(features.tokens + kText, &features, kBefore, patches.grid.h / 2, patches.grid.w / 2);
    add("ttft", features.tokens + kText, now_s() - start);
  }

  void print_table() const {
    std::printf("%s, %s\n%-8s %8s %12s %12s\n", flags_.model.model.c_str(), model_.backend->description().c_str(), "test", "tokens", "ms", "tokens/s");
    for (const auto& row : rows_) {
      std::printf("%-8s %8lld %12.1f %12.2f\n", row.test.c_str(), static_cast<long long>(row.tokens), row.ms,
                  static_cast<double>(row.tokens) / row.ms * 1e3);
    }
  }

  void print_json() const {
    Json rows = Json::array();
    for (const auto& row : rows_) {
      rows.push_back({{"test", row.test}, {"tokens", row.tokens}, {"batch", 1}, {"ms", row.ms},
                      {"tok_s", static_cast<double>(row.tokens) / row.ms * 1e3}});
    }
    std::printf("%s\n", dump_json({{"model", flags_.model.model}, {"backend", model_.backend->description()}, {"rows", rows}}).c_str());
  }

  const BenchFlags& flags_;
  BenchModel model_;
  int width_ = 0, height_ = 0;
  std::vector<Row> rows_;
};

}  // namespace

int run_bench(const BenchFlags& flags) { return Bench(flags).run(); }

}  // namespace qvl
