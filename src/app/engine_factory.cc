#include "app/engine_factory.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "app/bench_memory.h"
#include "app/memory_plan.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/local_engine.h"
#include "model/memory_needs.h"

namespace qvl {
namespace {

constexpr double kGiB = 1 << 30;

size_t machine_bytes() { return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

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
  if (flags.medvram) settings = smallest_settings(settings);
  // What runs beside the model while it answers: threads' stacks, requests, decoded pictures.
  constexpr size_t kServing = size_t{48} << 20;
  const size_t program = static_cast<size_t>(resident_bytes()) + kServing;
  const size_t weights = weight_needs(model.config, *model.backend, flags.load_options().quantize, stored);
  const auto limit = flags.memory_limit_bytes();
  if (limit) settings = fit_memory(model.config, model.processor, *model.backend, settings, weights, program, *limit);
  const MemoryPlan plan = plan_memory(model.config, model.processor, *model.backend, settings, weights, program);
  if (plan.kv_cache > machine_bytes()) {
    throw_error(ErrorKind::kMemory, "memory_budget",
                "a context of {} tokens needs {:.1f} GiB of KV cache, this machine has {:.1f} GiB of memory: use a smaller --ctx-size",
                settings.context_tokens, static_cast<double>(plan.kv_cache) / kGiB, static_cast<double>(machine_bytes()) / kGiB);
  }
  log_info("context {} tokens; {}", settings.context_tokens, plan.text());
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
  options.prefill_chunk = settings.prefill_chunk;
  options.image_cache_bytes = settings.image_cache_bytes;
  for (const int id : out.loaded.generation.eos_token_id) options.stop_token_ids.push_back(id);
  options.valid_tokens = out.loaded.tokenizer->size();
  options.speculate = flags.speculate == "on" ? Speculate::kAuto : Speculate::kOff;
  out.engine = make_local_engine(*out.loaded.model, options);
  return out;
}

}  // namespace qvl
