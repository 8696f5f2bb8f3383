// A model's folder -> everything that a request needs, on one backend. Not thread-safe while loading; plain data after.
#pragma once

#include <filesystem>
#include <functional>
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
  bool calibrate = false;  // round int4 weights by what the model's inputs are while it reads some prompts (app/calibration_prompts.h)
  KvFormat kv_format = KvFormat::kPlain;
  std::string packed_cache;  // folder for quantised weights; empty: the user's own, "off": none
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

// before_weights, where given, sees the model but for its weights, and the type of the checkpoint's matrices, and may change
// what stands there. Errors: kModel; kBadFlag for an unknown instruction set; kMemory.
LoadedModel load_model(const std::filesystem::path& folder, const LoadOptions& options,
                       const std::function<void(LoadedModel&, DType stored)>& before_weights = {});
std::unique_ptr<Backend> make_backend(const LoadOptions& options);

}  // namespace qvl
