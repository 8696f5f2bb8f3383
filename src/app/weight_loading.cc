#include "app/weight_loading.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "model/calibration.h"
#include "model/packed_cache.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr double kGiB = 1 << 30;
// Smaller checkpoints are quantised in a second or two, and their pictures encoded at once: what is made is kept only in a
// folder that was named.
constexpr uintmax_t kWorthKeepingBytes = uintmax_t{256} << 20;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Percent and seconds left, at most every other second.
class LoadProgress {
 public:
  LoadProgress(std::string what, int64_t total) : what_(std::move(what)), total_(std::max<int64_t>(1, total)) {}

  void tell(int64_t done) {
    if (Clock::now() - told_ < std::chrono::seconds(2) || done >= total_) return;
    told_ = Clock::now();
    const double share = static_cast<double>(done) / static_cast<double>(total_), seconds = seconds_since(start_);
    log_info("{}: {:.0f} %, about {:.0f} s left", what_, 100 * share, seconds / share - seconds);
  }

 private:
  const std::string what_;
  const int64_t total_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point told_ = start_;
};

uintmax_t checkpoint_bytes(const fs::path& folder) {
  uintmax_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") bytes += std::max<uintmax_t>(entry.file_size(error), 0);
  }
  return bytes;
}

std::optional<PackedKey> find_key(const Backend& backend, const LoadOptions& options, const fs::path& folder) {
  if (options.quantize == Quantize::kNone || folder.empty() || backend.layouts().empty()) return std::nullopt;
  const fs::path cache = cache_folder(options.packed_cache, "packed", folder);
  if (cache.empty()) return std::nullopt;
  return packed_key(cache, folder, backend, options.quantize, options.calibrate);
}

// Null where the cache does not hold them.
std::unique_ptr<Model> load_kept(Backend& backend, WeightStore& weights, const ModelConfig& config,
                                 const LoadOptions& options, const PackedKey& key) {
  const auto start = Clock::now();
  const int threads = options.threads > 0 ? options.threads : static_cast<int>(std::thread::hardware_concurrency());
  PackedFile::Loaded found = PackedFile::load(key.file, key.identity, std::clamp(threads, 1, 16));
  if (found.outcome == PackedFile::Outcome::kDamaged) {
    log_warn("{}: {}; the weights are quantised again (cache_invalid)", key.file.string(), found.problem);
  } else if (found.outcome == PackedFile::Outcome::kStale) {
    log_info("{}: {}; the weights are quantised again (cache_invalid)", key.file.string(), found.problem);
  }
  if (found.file == nullptr) return nullptr;
  const double gib = static_cast<double>(found.file->size()) / kGiB;
  PackedCacheSource source(std::move(found.file));
  WeightLoader loader(backend, weights, {.quantize = options.quantize, .source = &source});
  try {
    auto model = std::make_unique<Model>(loader, config);
    log_info("read {:.2f} GiB of {} weights from {} in {:.2f} s", gib, quantize_name(options.quantize),
             key.file.string(), seconds_since(start));
    return model;
  } catch (const Error& e) {
    if (e.code != kPackedIncomplete) throw;
    log_warn("{}: {}; the weights are quantised again (cache_invalid)", key.file.string(), e.what());
    weights.start_over();
    return nullptr;
  }
}

// How a checkpoint's matrices are packed, and what is told of it.
struct Packing {
  const char* verb;
  PackedSink* sink = nullptr;
  const Calibration* calibration = nullptr;
};

std::unique_ptr<Model> pack_model(Backend& backend, WeightStore& weights, const ModelConfig& config, const LoadOptions& options,
                                  const fs::path& folder, const Packing& how) {
  LoadProgress progress(folder.empty() ? how.verb : fmt::format("{} {}", how.verb, folder.string()), parameter_count(config));
  WeightLoader loader(backend, weights,
                      {.quantize = options.quantize,
                       .sink = how.sink,
                       .calibration = how.calibration,
                       .progress = [&](int64_t done) { progress.tell(done); }});
  return std::make_unique<Model>(loader, config);
}

// The first model and its activations are gone when this returns: the second one is made beside the sums alone.
Calibration calibrate(Backend& backend, WeightStore& weights, const ModelConfig& config, const LoadOptions& options, const fs::path& folder,
                      const ReadPrompts& read_prompts) {
  const auto start = Clock::now();
  Calibration calibration;
  RecordingBackend recording(backend, calibration);
  const auto model = pack_model(recording, weights, config, options, folder, {.verb = "quantising, first of two times,", .sink = &recording});
  std::optional<LoadProgress> progress;
  read_prompts(*model, [&](int64_t done, int64_t total) {
    if (!progress) progress.emplace("calibrating", total);
    progress->tell(done);
  });
  weights.start_over();
  log_info("calibrated in {:.1f} s with {:.0f} MiB of sums", seconds_since(start), static_cast<double>(calibration.bytes()) / (1 << 20));
  return calibration;
}

}  // namespace

fs::path cache_folder(const std::string& named, const std::string& kind, const fs::path& model_folder) {
  if (named == "off") return {};
  if (!named.empty()) return named;
  if (checkpoint_bytes(model_folder) < kWorthKeepingBytes) return {};
  const auto environment = [](const char* name) {
    return std::string(std::getenv(name) != nullptr ? std::getenv(name) : "");
  };
  if (const auto cache = environment("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "qwen3vl" / kind;
  if (const auto home = environment("HOME"); !home.empty()) return fs::path(home) / ".cache/qwen3vl" / kind;
  return {};
}

size_t weight_bytes(const Model& model) { return model.language.weight_bytes().total + model.vision.weight_bytes(); }

size_t huge_page_bytes() {
  std::ifstream in("/proc/self/smaps_rollup");
  for (std::string word; in >> word;) {
    if (word != "AnonHugePages:") continue;
    size_t kilobytes = 0;
    in >> kilobytes;
    return kilobytes << 10;
  }
  return 0;
}

std::unique_ptr<Model> load_weights(Backend& backend, WeightStore& weights, const ModelConfig& config,
                                    const LoadOptions& options, const fs::path& folder, const ReadPrompts& read_prompts) {
  const size_t huge_before = huge_page_bytes();
  const auto key = find_key(backend, options, folder);
  std::unique_ptr<Model> model;
  if (key) model = load_kept(backend, weights, config, options, *key);
  if (model == nullptr) {
    std::optional<Calibration> calibration;
    if (options.calibrate) {
      QVL_CHECK(options.quantize == Quantize::kInt4 && read_prompts, "calibration is of int4 weights and needs prompts");
      calibration = calibrate(backend, weights, config, options, folder, read_prompts);
    }
    std::optional<PackedCacheSink> sink;
    if (key) sink.emplace(*key);
    model = pack_model(backend, weights, config, options, folder,
                       {.verb = options.quantize == Quantize::kNone ? "loading" : "quantising",
                        .sink = sink ? &*sink : nullptr,
                        .calibration = calibration ? &*calibration : nullptr});
    if (sink && sink->finish()) {
      log_info("kept the {} weights in {} for the next start", quantize_name(options.quantize), key->file.string());
    } else if (sink) {
      log_warn("the quantised weights are not kept for the next start: {}", sink->failure());
    }
  }
  model->language.set_kv_format(options.kv_format);
  const size_t bytes = weight_bytes(*model), huge = huge_page_bytes();
  const double share =
      static_cast<double>(std::min(bytes, huge - std::min(huge, huge_before))) / static_cast<double>(bytes);
  log_info("weights {:.2f} GiB, {:.0f} % in huge pages", static_cast<double>(bytes) / kGiB, 100 * share);
  return model;
}

}  // namespace qvl
