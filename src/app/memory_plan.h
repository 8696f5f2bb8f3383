// What a served model will take at most, before it is loaded, and the settings that keep it below a limit. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/preprocess.h"
#include "model/config.h"
#include "model/weight_plan.h"

namespace qvl {

// "8G", "900M", "1.5G", "2000000000": bytes, K, M and G by 1024. Absent for anything else, and below 1M or above 2^50.
std::optional<size_t> parse_size(std::string_view text);

struct MemorySettings {
  int64_t context_tokens = 0;
  int64_t kv_tokens = 0;  // of all requests together; at least the context, whatever stands here
  int max_sequences = 8;
  int64_t prefill_chunk = 256;
  int64_t max_pixels = 0;  // of a picture, after it was made smaller
  size_t image_cache_bytes = size_t{256} << 20;
  KvFormat kv_format = KvFormat::kPlain;
};

struct MemoryPlan {
  size_t program = 0, weights = 0, kv_cache = 0, pass = 0, picture = 0, image_cache = 0;
  size_t total() const { return program + weights + kv_cache + pass + picture + image_cache; }
  std::string text() const;  // one line
};

// program: what the process takes without the model. weights: packed. The peak is that of a full context, a full image
// cache and the largest picture that the settings and the context allow.
MemoryPlan plan_memory(const ModelConfig& config, const ProcessorConfig& processor, const Backend& backend,
                       const MemorySettings& settings, size_t weights, size_t program);

// The smallest settings that still serve: --medvram.
MemorySettings smallest_settings(MemorySettings settings);

// Settings whose plan is within `limit`: a smaller image cache first, then a KV cache that holds one context, then smaller
// pictures, then a shorter context, each told with a warning. Errors: kMemory "memory_budget" that says what would fit.
MemorySettings fit_memory(const ModelConfig& config, const ProcessorConfig& processor, const Backend& backend,
                          MemorySettings settings, size_t weights, size_t program, size_t limit);

}  // namespace qvl
