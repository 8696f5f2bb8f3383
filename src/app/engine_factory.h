// A loaded model behind an engine, and the entries under which it is served.
#pragma once

#include <memory>

#include "app/commands.h"
#include "chat/served_model.h"
#include "engine/engine.h"

namespace qvl {

struct RunningModel {
  LoadedModel loaded;
  std::unique_ptr<Engine> engine;  // after loaded: destroyed first
  bool demo = false;

  // Adds the entries: the folder's name with its own template; the demo as `demo` and `demo-thinking`.
  void add_to(ModelRegistry& registry) const;
  ServedModel served(const std::string& id, TemplateKind kind) const;
};

// Errors: those of find_model() and load_model(); kMemory "memory_budget" where the KV cache does not fit.
RunningModel start_model(const ModelFlags& flags);

}  // namespace qvl
