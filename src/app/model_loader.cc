#include "app/model_loader.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "app/calibration_prompts.h"
#include "app/weight_loading.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cpu/cpu_backend.h"
#include "ops/ref_ops.h"
#include "weights/weight_store.h"

namespace qvl {
namespace fs = std::filesystem;
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Folders that may hold models/demo: the one that QVL_MODELS names, then upwards from the executable (build/release/qwen3vl).
std::vector<fs::path> model_folders() {
  std::vector<fs::path> out;
  if (const auto named = environment("QVL_MODELS"); !named.empty()) out.emplace_back(named);
  std::error_code ignored;
  fs::path folder = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (int up = 0; up < 4 && !folder.empty(); ++up, folder = folder.parent_path()) out.push_back(folder / "models");
  return out;
}

fs::path hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const auto value = environment(name); !value.empty()) return value;
  }
  if (const auto home = environment("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const auto cache = environment("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "huggingface/hub";
  return fs::path(environment("HOME")) / ".cache/huggingface/hub";
}

// "qwen3-vl-4b" and "qwen3-vl-4b-thinking" mean the official repositories.
std::string repository_id(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view kFamily = "qwen3-vl-";
  if (lower.rfind(kFamily, 0) != 0) return "";
  std::string rest = lower.substr(kFamily.size());
  const bool thinking = rest.ends_with("-thinking");
  for (const std::string_view kind : {"-thinking", "-instruct"}) {
    if (rest.ends_with(kind)) rest.resize(rest.size() - kind.size());
  }
  std::transform(rest.begin(), rest.end(), rest.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return "Qwen/Qwen3-VL-" + rest + (thinking ? "-Thinking" : "-Instruct");
}

// The newest snapshot of a repository in the hub's cache, or an empty path.
fs::path cached_snapshot(const std::string& repository) {
  std::string folder = "models--" + repository;
  const size_t slash = folder.find('/');
  if (slash == std::string::npos || folder.find("..") != std::string::npos) return {};
  folder.replace(slash, 1, "--");
  const fs::path root = hub_cache() / folder;
  std::error_code ignored;
  if (!fs::is_regular_file(root / "refs/main", ignored)) return {};
  std::string commit = read_file(root / "refs/main", ErrorKind::kModel, "model_file_missing", 1000);
  while (!commit.empty() && std::isspace(static_cast<unsigned char>(commit.back()))) commit.pop_back();
  const fs::path snapshot = root / "snapshots" / fs::path(commit).filename();
  return fs::is_regular_file(snapshot / "config.json", ignored) ? snapshot : fs::path();
}

}  // namespace

fs::path find_model(const std::string& name) {
  std::error_code ignored;
  if (fs::is_directory(name, ignored)) return name;
  if (name == "demo" || name == "demo-thinking") {
    for (const auto& folder : model_folders()) {
      if (fs::is_regular_file(folder / "demo/config.json", ignored)) return folder / "demo";
    }
    throw Error(ErrorKind::kModel, "model_file_missing",
                "the demo model is not here: expected models/demo beside the program, or its parent folder in QVL_MODELS");
  }
  if (fs::exists(name, ignored)) {
    if (fs::path(name).extension() == ".safetensors" || fs::path(name).filename() == "config.json") {
      return fs::absolute(name).parent_path();
    }
    throw_error(ErrorKind::kModel, "model_header", "{}: expected a model's folder with config.json and model.safetensors",
                printable(name));
  }
  const std::string repository = repository_id(name);
  if (!repository.empty()) {
    if (const auto snapshot = cached_snapshot(repository); !snapshot.empty()) return snapshot;
  }
  throw_error(ErrorKind::kModel, "model_file_missing",
              "no model \"{}\": expected a folder with config.json and model.safetensors, \"demo\", or a repository such as "
              "Qwen/Qwen3-VL-4B-Instruct that is already in the Hugging Face cache ({})",
              printable(name), hub_cache().string());
}

std::unique_ptr<Backend> make_backend(const LoadOptions& options) {
  if (options.reference) return make_ref_backend();
  return make_cpu_backend({.threads = options.threads, .precision = options.precision, .instruction_set = ""});
}

LoadedModel load_model(const fs::path& folder, const LoadOptions& options,
                       const std::function<void(LoadedModel&, DType)>& before_weights) {
  const auto start = std::chrono::steady_clock::now();
  LoadedModel out;
  out.folder = folder;
  out.config = load_model_config(folder);
  out.generation = load_generation_config(folder, out.config);
  out.processor = load_processor_config(folder);
  out.template_kind = detect_template(folder);
  out.tokenizer = std::make_unique<Tokenizer>(Tokenizer::load(folder));
  const auto weights = open_safetensors(folder);
  check_tensors(*weights, out.config);  // all that is missing or misshapen is told before the slow packing
  if (out.tokenizer->size() > out.config.text.vocab_size) {
    throw_error(ErrorKind::kModel, "model_tokenizer", "{}: the tokenizer has ids up to {}, config.json's vocab_size is {}",
                folder.string(), out.tokenizer->size() - 1, out.config.text.vocab_size);
  }
  out.backend = make_backend(options);
  if (before_weights) before_weights(out, weights->info("model.language_model.embed_tokens.weight").dtype);
  out.model = load_weights(*out.backend, *weights, out.config, options, folder,
                           [&](Model& model, const auto& progress) { read_calibration_prompts(out, model, progress); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  log_info("loaded {} ({:.1f} M parameters) in {:.2f} s: {}", folder.string(),
           static_cast<double>(parameter_count(out.config)) / 1e6, seconds.count(), out.backend->description());
  return out;
}

}  // namespace qvl
