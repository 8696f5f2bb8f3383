// The subcommands of qwen3vl and their flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/model_loader.h"

namespace qvl {

inline constexpr const char* kVersion = QVL_VERSION;  // the CMake project's

// Flags that several subcommands share.
struct ModelFlags {
  std::string model = "demo";
  std::string precision = "bfloat16", quantize = "none", packed_cache, kv_cache = "bf16", memory_limit;
  bool medvram = false, calibrate = false;
  int threads = 0;
  int64_t ctx_size = 0;  // 0: the model's own, at most kDefaultContext
  std::string speculate = "on", prefix_cache = "on";
  int batch_size = 8, max_queue = 64;
  std::string kv_cache_size;  // empty: as much as batch_size requests of usual length need
  std::string image_cache_size = "256M", image_cache_dir, image_cache_disk_size = "2G";
  LoadOptions load_options() const;  // Errors: kBadFlag where flags do not go together
  std::optional<size_t> memory_limit_bytes() const;
};

struct ServeFlags {
  ModelFlags model;
  std::string thinking_model;  // a second model for the Thinking mode
  std::string host = "127.0.0.1";
  bool listen = false;
  int port = 7860;
  std::string api_key, api_key_file;
  std::vector<std::string> allow_hosts;
  std::vector<std::string> upstreams;  // URLs of engines behind this server
  std::string upstream_api_key;
  int upstream_timeout = 600;                      // seconds
  std::optional<std::vector<std::string>> media_hosts;  // nullopt: no pictures by URL; empty: from any public host
  std::string media_path;
  bool load_model = true;  // false: only engines behind this server
  double drain_timeout = 5;  // seconds
  std::string metrics_compat;
  std::string log_format = "text", log_level = "info";
};

struct ChatFlags {
  ModelFlags model;
  std::vector<std::string> images;
  std::string prompt, system;
  bool json = false, thinking = false;
  double temperature = -1;  // -1: the model's default
  int64_t max_tokens = 0, seed = -1;
};

struct BatchFlags {
  ModelFlags model;
  std::string input, output;  // a file of requests or a folder of pictures; .jsonl or .csv
  std::string prompt, system;
  double temperature = -1;  // -1: the model's default
  int64_t max_tokens = 0;
};

struct TraceFlags {
  ModelFlags model;
  std::string messages, out, root;
  int generate = 0;
  bool blend_alpha = false;
};

struct BenchFlags {
  ModelFlags model;
  // Lists with commas between.
  std::string prompts = "512", generated = "64", images = "1024x768", batches = "1", depths = "0";
  std::string tests = "prefill,decode,image,ttft";
  int64_t chunk = 512, reps = 3;
  bool json = false;
};

// The size of the KV cache where --ctx-size says nothing: the model's own context, at most this many tokens.
inline constexpr int64_t kDefaultContext = 32768;

int run_command_line(int argc, char** argv);  // throws Error
int run_serve(const ServeFlags& flags);
int run_chat(const ChatFlags& flags);
int run_batch(const BatchFlags& flags);
int run_trace(const TraceFlags& flags);
int run_bench(const BenchFlags& flags);

}  // namespace qvl
