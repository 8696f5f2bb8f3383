#include "app/engine_factory.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "engine/local_engine.h"
#include "engine/scheduler.h"

namespace qvl {
namespace {

void check_memory(size_t kv_bytes, int64_t context) {
  const auto total = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  constexpr double kGiB = 1 << 30;
  if (kv_bytes > total) {
    throw_error(ErrorKind::kMemory, "memory_budget",
                "a context of {} tokens needs {:.1f} GiB of KV cache, this machine has {:.1f} GiB of memory: use a smaller --ctx-size",
                context, static_cast<double>(kv_bytes) / kGiB, static_cast<double>(total) / kGiB);
  }
  log_info("context {} tokens, KV cache {:.2f} GiB", context, static_cast<double>(kv_bytes) / kGiB);
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
  out.loaded = load_model(folder, flags.load_options());
  const int64_t own = out.loaded.config.text.max_position_embeddings;
  const int64_t context = flags.ctx_size > 0 ? flags.ctx_size : std::min(own, kDefaultContext);
  if (context > own) log_warn("--ctx-size {} is past the {} positions that the model was trained for", context, own);
  check_memory(static_cast<size_t>(pages_for(context)) * out.loaded.model->language.kv_page_bytes(), context);
  EngineOptions options;
  options.context_tokens = context;
  for (const int id : out.loaded.generation.eos_token_id) options.stop_token_ids.push_back(id);
  options.valid_tokens = out.loaded.tokenizer->size();
  options.speculate = flags.speculate == "on" ? Speculate::kAuto : Speculate::kOff;
  out.engine = make_local_engine(*out.loaded.model, options);
  return out;
}

}  // namespace qvl
