#include "app/engine_factory.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "app/bench_memory.h"
#include "app/memory_plan.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/local_engine.h"
#include "app/weight_loading.h"
#include "model/memory_needs.h"
#include "model/packed_cache.h"

namespace qvl {
namespace {

constexpr double kGiB = 1 << 30;
constexpr int64_t kUsualTokens = 4096;  // of a conversation: the KV cache holds so many for each of --batch-size

size_t machine_bytes() { return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

// The tokens whose keys and values so many bytes hold. Errors: kBadFlag where that is less than one context.
int64_t tokens_of(size_t kv_bytes, const LoadedModel& model, const MemorySettings& settings) {
  const TextConfig& text = model.config.text;
  const size_t page = model.backend->kv_page_bytes(text.num_hidden_layers, text.num_key_value_heads, text.head_dim, settings.kv_format);
  const auto tokens = static_cast<int64_t>(kv_bytes / page) * KvCache::kPageTokens;
  if (tokens < settings.context_tokens) {
    throw_error(ErrorKind::kBadFlag, "bad_flag",
                "--kv-cache-size: that holds {} tokens, expected at least one context of {}: use a smaller --ctx-size", tokens,
                settings.context_tokens);
  }
  return tokens;
}

// Plans the model's memory before its weights are read: tells the plan, holds it to --memory-limit and the machine.
// Errors: kMemory "memory_budget".
MemorySettings plan_for(const ModelFlags& flags, LoadedModel& model, DType stored) {
  MemorySettings settings;
  const int64_t own = model.config.text.max_position_embeddings;
  settings.context_tokens = flags.ctx_size > 0 ? flags.ctx_size : std::min(own, kDefaultContext);
  if (settings.context_tokens > own) {
    log_warn("--ctx-size {} is past the {} positions that the model was trained for", settings.context_tokens, own);
  }
  settings.max_pixels = model.processor.image.max_pixels;
  settings.kv_format = flags.load_options().kv_format;
  settings.max_sequences = flags.batch_size;
  settings.image_cache_bytes = parse_size(flags.image_cache_size).value_or(settings.image_cache_bytes);
  settings.kv_tokens = std::max(settings.context_tokens, flags.batch_size * std::min(settings.context_tokens, kUsualTokens));
  if (flags.medvram) settings = smallest_settings(settings);
  if (const auto bytes = parse_size(flags.kv_cache_size)) settings.kv_tokens = tokens_of(*bytes, model, settings);
  // What runs beside the model while it answers: threads' stacks, requests, decoded pictures.
  constexpr size_t kServing = size_t{48} << 20;
  const size_t program = static_cast<size_t>(resident_bytes()) + kServing;
  const size_t weights = weight_needs(model.config, *model.backend, flags.load_options().quantize, stored);
  const auto limit = flags.memory_limit_bytes();
  if (limit) settings = fit_memory(model.config, model.processor, *model.backend, settings, weights, program, *limit);
  const MemoryPlan plan = plan_memory(model.config, model.processor, *model.backend, settings, weights, program);
  if (plan.kv_cache > machine_bytes()) {
    throw_error(ErrorKind::kMemory, "memory_budget",
                "{} tokens of context need {:.1f} GiB of KV cache, this machine has {:.1f} GiB of memory: use a smaller --ctx-size",
                settings.kv_tokens, static_cast<double>(plan.kv_cache) / kGiB, static_cast<double>(machine_bytes()) / kGiB);
  }
  log_info("context {} tokens, {} in the KV cache for up to {} requests at once; {}", settings.context_tokens, settings.kv_tokens,
           settings.max_sequences, plan.text());
  if (plan.total() > machine_bytes()) {
    log_warn("this machine has {:.1f} GiB of memory: use --quantize int4, a smaller --ctx-size, --medvram or --memory-limit",
             static_cast<double>(machine_bytes()) / kGiB);
  }
  if (limit || flags.medvram) {
    model.processor.image.max_pixels = settings.max_pixels;
    model.processor.image.min_pixels = std::min(model.processor.image.min_pixels, settings.max_pixels);
    model.processor.pixel_budget = settings.max_pixels;
  }
  return settings;
}

// Encoded pictures are the same for the same weights, stored and multiplied in the same precision.
void keep_pictures(const ModelFlags& flags, const std::filesystem::path& folder, const LoadedModel& model, EngineOptions& options) {
  options.image_store_folder = cache_folder(flags.image_cache_dir, "images", folder);
  if (options.image_store_folder.empty()) return;
  options.image_store_bytes = parse_size(flags.image_cache_disk_size).value_or(options.image_store_bytes);
  options.model_identity = fmt::format("{}|{}|{}", source_identity(folder), static_cast<int>(model.backend->precision()),
                                       plan_text(flags.load_options().quantize));
}

std::string model_id(const std::filesystem::path& folder) {
  // A snapshot of the hub's cache has its commit for a name: its repository's tells more.
  const auto absolute = std::filesystem::weakly_canonical(folder);
  if (absolute.parent_path().filename() == "snapshots") {
    std::string name = absolute.parent_path().parent_path().filename().string();
    return name.substr(name.rfind("--") == std::string::npos ? 0 : name.rfind("--") + 2);
  }
  return absolute.filename().string();
}

}  // namespace

ServedModel RunningModel::served(const std::string& id, TemplateKind kind) const {
  ServedModel model;
  model.id = id;
  model.template_kind = kind;
  model.demo = demo;
  model.tokenizer = loaded.tokenizer.get();
  model.engine = engine.get();
  model.config = loaded.config;
  model.processor = loaded.processor;
  model.generation = loaded.generation;
  model.created = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return model;
}

void RunningModel::add_to(ModelRegistry& registry) const {
  if (demo) {
    registry.add(served("demo", TemplateKind::kInstruct));
    registry.add(served("demo-thinking", TemplateKind::kThinking));
  } else {
    registry.add(served(model_id(loaded.folder), loaded.template_kind));
  }
}

RunningModel start_model(const ModelFlags& flags) {
  RunningModel out;
  const auto folder = find_model(flags.model);
  out.demo = flags.model == "demo" || flags.model == "demo-thinking";
  MemorySettings settings;
  out.loaded = load_model(folder, flags.load_options(),
                          [&](LoadedModel& model, DType stored) { settings = plan_for(flags, model, stored); });
  EngineOptions options;
  options.context_tokens = settings.context_tokens;
  options.kv_tokens = settings.kv_tokens;
  options.max_sequences = flags.batch_size;
  options.max_queue = flags.max_queue;
  options.share_prefixes = flags.prefix_cache == "on";
  options.prefill_chunk = settings.prefill_chunk;
  options.image_cache_bytes = settings.image_cache_bytes;
  keep_pictures(flags, folder, out.loaded, options);
  for (const int id : out.loaded.generation.eos_token_id) options.stop_token_ids.push_back(id);
  options.valid_tokens = out.loaded.tokenizer->size();
  options.speculate = flags.speculate == "on" ? Speculate::kAuto : Speculate::kOff;
  out.engine = make_local_engine(*out.loaded.model, options);
  return out;
}

}  // namespace qvl
