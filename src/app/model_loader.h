// A model's folder -> everything that a request needs, on one backend. Not thread-safe while loading; plain data after.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "media/preprocess.h"
#include "model/model.h"
#include "ops/ops.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace qvl {

struct LoadOptions {
  int threads = 0;  // 0: all cores
  Precision precision = Precision::kBFloat16;
  bool reference = false;  // the slow reference backend instead of the CPU's kernels
  Quantize quantize = Quantize::kNone;
};

struct LoadedModel {
  std::filesystem::path folder;
  ModelConfig config;
  GenerationConfig generation;
  ProcessorConfig processor;
  TemplateKind template_kind = TemplateKind::kInstruct;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
};

// Where the model `name` is: a folder (or a file in it), "demo" (the model that ships with the program, beside the
// executable's source tree or in QVL_MODELS), a repository id such as "Qwen/Qwen3-VL-4B-Instruct" or "qwen3-vl-4b" in the
// Hugging Face cache. Errors: kModel "model_file_missing", saying where it was looked for.
std::filesystem::path find_model(const std::string& name);

// Errors: kModel; kBadFlag for an unknown instruction set; kMemory.
LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options);
std::unique_ptr<Backend> make_backend(const LoadOptions& options);
// The model of a store's tensors, packed as the options say; tells percent and seconds left on the way. what: its name there.
std::unique_ptr<Model> load_weights(Backend& backend, WeightStore& weights, const ModelConfig& config,
                                    const LoadOptions& options, const std::string& what);

}  // namespace qvl
