#include "app/memory_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/log.h"
#include "model/memory_needs.h"

namespace qvl {
namespace {

constexpr double kGiB = 1 << 30;
constexpr int64_t kLeastContext = 4096, kLeastPixels = 1024 * 1024;
constexpr size_t kLeastImageCache = size_t{16} << 20;
constexpr int64_t kGuessRows = 16;  // sequences and guesses whose logits one pass gives, where there are guesses

std::string size_text(size_t bytes) {
  const double gib = static_cast<double>(bytes) / kGiB;
  return gib < 1 ? fmt::format("{:.0f} MiB", 1024 * gib) : fmt::format("{:.2f} GiB", gib);
}

size_t kv_bytes(const TextConfig& text, const Backend& backend, const MemorySettings& settings) {
  const int64_t tokens = std::max(settings.context_tokens, settings.kv_tokens);
  const int64_t pages = (tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens;
  return static_cast<size_t>(pages) *
         backend.kv_page_bytes(text.num_hidden_layers, text.num_key_value_heads, text.head_dim, settings.kv_format);
}

int64_t largest_patches(const ProcessorConfig& processor, const VisionConfig& vision, const MemorySettings& settings) {
  const int64_t patch = int64_t{processor.patch_size} * processor.patch_size;
  return std::min(settings.max_pixels / patch, settings.context_tokens * vision.merge_unit());
}

}  // namespace

std::optional<size_t> parse_size(std::string_view text) {
  double unit = 1;
  if (!text.empty()) {
    const size_t at = std::string_view("KMG").find(static_cast<char>(text.back() & ~0x20));
    if (at != std::string_view::npos) {
      unit = std::pow(1024.0, static_cast<double>(at + 1));
      text.remove_suffix(1);
    }
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  const double bytes = number * unit;
  if (!(bytes >= 1 << 20) || bytes > 0x1p50) return std::nullopt;
  return static_cast<size_t>(bytes);
}

std::string MemoryPlan::text() const {
  return fmt::format(
      "memory: weights {}, KV cache {}, the largest picture {}, a pass {}, image cache {}, program {}: at most {}",
      size_text(weights), size_text(kv_cache), size_text(picture), size_text(pass), size_text(image_cache),
      size_text(program), size_text(total()));
}

MemoryPlan plan_memory(const ModelConfig& config, const ProcessorConfig& processor, const Backend& backend,
                       const MemorySettings& settings, size_t weights, size_t program) {
  const int64_t answers = std::max<int64_t>(kGuessRows, settings.max_sequences);
  return {.program = program,
          .weights = weights,
          .kv_cache = kv_bytes(config.text, backend, settings),
          .pass = pass_needs(config.text, settings.prefill_chunk + answers, answers),
          .picture = picture_needs(config.vision, largest_patches(processor, config.vision, settings)),
          .image_cache = settings.image_cache_bytes};
}

MemorySettings smallest_settings(MemorySettings settings) {
  settings.kv_format = KvFormat::kInt8;
  settings.kv_tokens = settings.context_tokens;
  settings.prefill_chunk = std::min<int64_t>(settings.prefill_chunk, 128);
  settings.max_pixels = std::min<int64_t>(settings.max_pixels, 2 * kLeastPixels);
  settings.image_cache_bytes = std::min(settings.image_cache_bytes, size_t{32} << 20);
  return settings;
}

MemorySettings fit_memory(const ModelConfig& config, const ProcessorConfig& processor, const Backend& backend,
                          MemorySettings settings, size_t weights, size_t program, size_t limit) {
  const auto total = [&](const MemorySettings& s) {
    return plan_memory(config, processor, backend, s, weights, program).total();
  };
  settings.kv_tokens = std::max(settings.kv_tokens, settings.context_tokens);
  MemorySettings least = settings;
  least.image_cache_bytes = std::min(settings.image_cache_bytes, kLeastImageCache);
  least.max_pixels = std::min(settings.max_pixels, kLeastPixels);
  least.kv_tokens = least.context_tokens = std::min(settings.context_tokens, kLeastContext);
  if (total(least) > limit) {
    throw_error(ErrorKind::kMemory, "memory_budget",
                "--memory-limit {}: this model needs at least {} (weights {}, and {} for a context of {} tokens): use "
                "a smaller "
                "--quantize, a smaller --ctx-size or --medvram",
                size_text(limit), size_text(total(least)), size_text(weights), size_text(total(least) - weights),
                least.context_tokens);
  }
  // The largest value of one setting that fits with the others as they are: the needs grow with it.
  const auto shrink = [&](int64_t from, int64_t to, int64_t step,
                          const std::function<void(MemorySettings&, int64_t)>& set) {
    int64_t low = to / step, high = from / step;  // of the steps; low is taken where nothing fits
    while (low < high) {
      const int64_t middle = (low + high + 1) / 2;
      MemorySettings tried = settings;
      set(tried, middle * step);
      if (total(tried) <= limit) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    set(settings, std::min(from, std::max(to, low * step)));
  };
  if (total(settings) > limit) {
    shrink(static_cast<int64_t>(settings.image_cache_bytes), static_cast<int64_t>(least.image_cache_bytes), 1 << 20,
           [](MemorySettings& s, int64_t bytes) { s.image_cache_bytes = static_cast<size_t>(bytes); });
    log_warn("--memory-limit {}: the image cache gets {}", size_text(limit), size_text(settings.image_cache_bytes));
  }
  if (total(settings) > limit && settings.kv_tokens > settings.context_tokens) {
    shrink(settings.kv_tokens, settings.context_tokens, KvCache::kPageTokens,
           [](MemorySettings& s, int64_t tokens) { s.kv_tokens = tokens; });
    log_warn("--memory-limit {}: the KV cache holds {} tokens", size_text(limit), settings.kv_tokens);
  }
  if (total(settings) > limit) {
    shrink(settings.max_pixels, least.max_pixels, 1 << 16,
           [](MemorySettings& s, int64_t pixels) { s.max_pixels = pixels; });
    log_warn("--memory-limit {}: pictures are made smaller than {:.1f} million pixels", size_text(limit),
             static_cast<double>(settings.max_pixels) / 1e6);
  }
  if (total(settings) > limit) {
    shrink(settings.context_tokens, least.context_tokens, KvCache::kPageTokens,
           [](MemorySettings& s, int64_t tokens) { s.kv_tokens = s.context_tokens = tokens; });
    log_warn("--memory-limit {}: the context gets {} tokens", size_text(limit), settings.context_tokens);
  }
  return settings;
}

}  // namespace qvl
