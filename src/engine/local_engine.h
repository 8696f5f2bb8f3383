// The Engine over a Model in this process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "model/model.h"

namespace qvl {

// Guessing ahead: tokens that followed the same context before are verified in one pass with the answer's next token.
// The answers are the same bits in each mode; only the time differs.
enum class Speculate {
  kOff,
  kAuto,    // where measured times and earlier guesses of the request say that it pays
  kAlways,  // wherever there is a guess: for tests and measurements
};

struct EngineOptions {
  int64_t context_tokens = 4096;             // of one request, prompt and answer
  int64_t kv_tokens = 0;                     // of all requests together, and of what is known of earlier ones; at least the context
  int max_sequences = 8;                     // that run at once
  int64_t prefill_chunk = 256;               // most prompt tokens of a pass; beside answers time decides
  int max_queue = 64;                        // requests that wait
  bool share_prefixes = true;                // use the pages of earlier prompts and answers that begin with the same tokens
  size_t image_cache_bytes = size_t{256} << 20;
  std::filesystem::path image_store_folder;  // keeps features of pictures in files; empty: nowhere
  size_t image_store_bytes = size_t{2} << 30;
  std::string model_identity;                // of weights, configuration and precision, for those files
  std::vector<int32_t> stop_token_ids;       // the model's own ends of text
  int32_t valid_tokens = 0;                  // ids from here on belong to no token; 0: all do
  Speculate speculate = Speculate::kAuto;
};

// model must outlive the engine.
std::unique_ptr<Engine> make_local_engine(Model& model, const EngineOptions& options);

}  // namespace qvl
