#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "app/commands.h"
#include "app/memory_plan.h"
#include "base/error.h"
#include "serve/access.h"

namespace qvl {
namespace {

// Of a variable that a script forgot to set: an empty key would leave the server open.
std::string not_empty(const std::string& text) { return text.empty() ? "expected a value, found an empty one" : ""; }

// CLI::Range lets NaN through.
std::string finite(const std::string& text) {
  return std::isfinite(std::strtod(text.c_str(), nullptr)) ? "" : "expected a number, found " + text;
}

std::string host_name(const std::string& text) {
  const bool plain = text.find_first_of(":[]%") == text.npos && parse_host(text).has_value();
  return text == "*" || plain ? "" : "expected a host's name without scheme, port and path, or *, found " + text;
}

std::string memory_size(const std::string& text) {
  return parse_size(text) ? "" : "expected a size from 1M on such as 8G or 900M, found " + text;
}

// Any flag that stands twice is refused, a switch as well.
void add_switch(CLI::App& app, const std::string& name, bool& value, const std::string& help, CLI::Option* excludes = nullptr) {
  auto* const option = app.add_flag(name, value, help)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  if (excludes) option->excludes(excludes);
}

void add_model_flags(CLI::App& app, ModelFlags& flags) {
  app.add_option("--model", flags.model,
                 "a model's folder, \"demo\" (ships with the program), or a repository in the Hugging Face cache")
      ->capture_default_str();
  app.add_option("--precision", flags.precision, "bfloat16, or float32 for the reference's arithmetic")
      ->check(CLI::IsMember({"bfloat16", "float32"}))
      ->capture_default_str();
  app.add_option("--quantize", flags.quantize, "int4 or int8 weights: smaller and faster; none: as --precision says")
      ->check(CLI::IsMember({"none", "int8", "int4"}))
      ->capture_default_str();
  app.add_option("--packed-cache", flags.packed_cache,
                 "folder that keeps quantised weights for the next start, or off (default: qwen3vl/packed in the user's cache)")
      ->check(not_empty);
  app.add_option("--kv-cache", flags.kv_cache, "bf16, or int8 for half the memory of a context")
      ->check(CLI::IsMember({"bf16", "int8"}))
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "threads of the engine (default: all cores)")->check(CLI::Range(1, 1024));
  app.add_option("--ctx-size", flags.ctx_size, "tokens of prompt and answer together (default: the model's, at most 32768)")
      ->check(CLI::Range(int64_t{64}, int64_t{1} << 24));
}

void add_calibrate(CLI::App& app, ModelFlags& flags) {
  add_switch(app, "--calibrate", flags.calibrate,
             "round int4 weights by what the model's inputs are: nearer to the original, but they take about eight times as long to make");
}

// Of the subcommands that answer through the engine.
void add_engine_flags(CLI::App& app, ModelFlags& flags) {
  add_model_flags(app, flags);
  add_calibrate(app, flags);
  app.add_option("--speculate", flags.speculate,
                 "guess tokens ahead from text that repeats itself, where that is faster; the answers are the same")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  app.add_option("--memory-limit", flags.memory_limit,
                 "the most memory to take, such as 8G or 900M: caches, pictures and the context are made to fit")
      ->check(memory_size);
  app.add_option("--kv-cache-size", flags.kv_cache_size,
                 "memory for keys and values of all requests, such as 4G (default: what --batch-size requests usually need)")
      ->check(memory_size);
  app.add_option("--prefix-cache", flags.prefix_cache, "use what was computed for earlier requests that begin with the same text")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  app.add_option("--image-cache-size", flags.image_cache_size, "memory for pictures that were encoded before")
      ->check(memory_size)
      ->capture_default_str();
  app.add_option("--image-cache-dir", flags.image_cache_dir,
                 "folder that keeps encoded pictures for the next start, or off (default: qwen3vl/images in the user's cache)")
      ->check(not_empty);
  app.add_option("--image-cache-disk-size", flags.image_cache_disk_size, "the most that folder may hold")
      ->check(memory_size)
      ->capture_default_str();
  add_switch(app, "--medvram", flags.medvram, "take as little memory as can be: int8 KV cache, smaller pictures and passes");
}

// Of the subcommands that answer many requests at once.
void add_batch_flags(CLI::App& app, ModelFlags& flags) {
  app.add_option("--batch-size", flags.batch_size, "requests that are answered at once; the others wait")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--max-queue", flags.max_queue, "requests that may wait; more are told to try again later")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
}

void add_serve(CLI::App& app, ServeFlags& flags) {
  add_engine_flags(app, flags.model);
  add_batch_flags(app, flags.model);
  app.add_option("--thinking-model", flags.thinking_model, "a second model, for the Thinking mode");
  auto* const host = app.add_option("--host", flags.host, "address to listen on")->capture_default_str();
  add_switch(app, "--listen", flags.listen, "listen on all addresses (0.0.0.0); give an --api-key with it", host);
  app.add_option("--port", flags.port, "TCP port; 0: any free one")->check(CLI::Range(0, 65535))->capture_default_str();
  auto* const key = app.add_option("--api-key", flags.api_key, "clients must send it as a bearer token; at least 16 characters")
                        ->check(not_empty);
  app.add_option("--api-key-file", flags.api_key_file, "a file with the key in its first line")
      ->check(not_empty)
      ->excludes(key);
  app.add_option("--allow-host", flags.allow_hosts, "a further name that requests may carry in Host (repeatable)")
      ->check(host_name)
      ->take_all();
  app.add_option("--drain-timeout", flags.drain_timeout, "seconds that running answers may take when the server stops")
      ->check(finite)
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_option("--metrics-compat", flags.metrics_compat, "names of /metrics for dashboards made for vllm or llamacpp")
      ->check(CLI::IsMember({"vllm", "llamacpp"}));
  app.add_option("--log-format", flags.log_format, "text, or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "the least of what is logged: debug, info, warning, error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.add_option("--upstream", flags.upstreams,
                 "an engine behind this server that speaks OpenAI's API, such as http://10.0.0.5:8000 (repeatable)")
      ->take_all();
  app.add_option("--upstream-api-key", flags.upstream_api_key, "sent to them as a bearer token")
      ->envname("QWEN3VL_UPSTREAM_API_KEY")
      ->check(not_empty);
  app.add_option("--upstream-timeout", flags.upstream_timeout, "seconds until they begin to answer, and between two pieces")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--allow-media-urls", "fetch pictures by URL, from any public host, or only from HOST,HOST:PORT,...")
      ->expected(0, 1);
  app.add_option("--media-path", flags.media_path, "let requests name pictures that lie below this folder")->check(not_empty);
}

// What CLI11 has no words for: flags whose presence means something.
void finish_serve(const CLI::App& app, ServeFlags& flags) {
  const auto* const urls = app.get_option("--allow-media-urls");
  if (urls->count() > 0) {
    flags.media_hosts.emplace();
    for (const std::string& list : urls->results()) {
      for (const std::string& host : CLI::detail::split(list, ',')) {
        if (!host.empty()) flags.media_hosts->push_back(host);
      }
    }
  }
  if (flags.upstreams.empty()) return;
  flags.load_model = app.get_option("--model")->count() > 0;
  if (!flags.load_model && !flags.thinking_model.empty()) {
    throw Error(ErrorKind::kBadFlag, "bad_flag", "--thinking-model beside --upstream needs --model");
  }
}

void add_chat(CLI::App& app, ChatFlags& flags) {
  add_engine_flags(app, flags.model);
  flags.model.batch_size = 1;
  app.add_option("--image", flags.images, "a picture (repeatable)")->take_all();
  app.add_option("--prompt", flags.prompt, "one question; without it the chat is interactive");
  app.add_option("--system", flags.system, "a system message");
  add_switch(app, "--json", flags.json, "print one JSON object (needs --prompt)");
  add_switch(app, "--thinking", flags.thinking, "use the Thinking template");
  app.add_option("--temperature", flags.temperature, "0: greedy (default: the model's)")
      ->check(finite)
      ->check(CLI::Range(0.0, 2.0));
  app.add_option("--max-tokens", flags.max_tokens, "longest answer")->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  // CLI11 reads numbers past the type's end as its largest.
  app.add_option("--seed", flags.seed, "for the same answer again")->check(CLI::Range(int64_t{0}, INT64_MAX - 1));
}

void add_batch(CLI::App& app, BatchFlags& flags) {
  add_engine_flags(app, flags.model);
  add_batch_flags(app, flags.model);
  app.add_option("input", flags.input, "requests in OpenAI's batch format (.jsonl), or a folder of pictures")->required();
  app.add_option("output,-o,--output", flags.output, "file that gets the answers, .jsonl or .csv; what it has already is not asked again");
  app.add_option("--prompt", flags.prompt, "the question about each picture of a folder");
  app.add_option("--system", flags.system, "a system message for the pictures of a folder");
  app.add_option("--temperature", flags.temperature, "for the pictures of a folder; 0: greedy (default: the model's)")
      ->check(finite)
      ->check(CLI::Range(0.0, 2.0));
  app.add_option("--max-tokens", flags.max_tokens, "longest answer about a picture of a folder")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
}

void add_trace(CLI::App& app, TraceFlags& flags) {
  add_model_flags(app, flags.model);
  add_calibrate(app, flags.model);
  app.add_option("--messages", flags.messages, "JSON file: messages, or an object with messages and tools")->required();
  app.add_option("--out", flags.out, "safetensors file to write")->required();
  app.add_option("--root", flags.root, "folder that the messages' paths start from (default: the JSON file's or the nearest above that has them)");
  app.add_option("--generate", flags.generate, "greedy tokens to generate")->check(CLI::Range(0, 100000));
  add_switch(app, "--blend-alpha", flags.blend_alpha, "blend transparent pictures over white, as the server does");
}

void add_bench(CLI::App& app, BenchFlags& flags) {
  add_model_flags(app, flags.model);
  app.get_option("--model")->description("a model's folder, \"demo\", or made:NAME for made weights in the true shapes of NAME");
  app.add_option("-p,--prompt", flags.prompts, "tokens of a prompt; a list such as 512,2048 makes a row of each")
      ->capture_default_str();
  app.add_option("-n,--generate", flags.generated, "tokens to decode; may be a list")->capture_default_str();
  app.add_option("--image", flags.images, "size of a picture; may be a list")->capture_default_str();
  app.add_option("--batch", flags.batches, "sequences that decode together; may be a list")->capture_default_str();
  app.add_option("--depth", flags.depths,
                 "tokens already in the cache before prefill and decode, filled with made values; may be a list")
      ->capture_default_str();
  app.add_option("--tests", flags.tests, "which tests: a list of prefill, decode, image, ttft")->capture_default_str();
  app.add_option("--reps", flags.reps, "runs of each test; the best counts")->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--chunk", flags.chunk, "prompt tokens of one pass")->check(CLI::Range(1, 1 << 16))->capture_default_str();
  add_switch(app, "--json", flags.json, "print one JSON object");
}

}  // namespace

LoadOptions ModelFlags::load_options() const {
  if (calibrate && quantize != "int4") {
    throw Error(ErrorKind::kBadFlag, "bad_flag", fmt::format("--calibrate needs --quantize int4, found --quantize {}", quantize));
  }
  return {.threads = threads,
          .precision = precision == "float32" ? Precision::kFloat32 : Precision::kBFloat16,
          .quantize = parse_quantize(quantize).value_or(Quantize::kNone),
          .calibrate = calibrate,
          .kv_format = medvram || kv_cache == "int8" ? KvFormat::kInt8 : KvFormat::kPlain,
          .packed_cache = packed_cache};
}

std::optional<size_t> ModelFlags::memory_limit_bytes() const {
  return memory_limit.empty() ? std::nullopt : parse_size(memory_limit);
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Qwen3-VL on your own machine: a web page, an OpenAI-compatible API and a terminal chat.", "qwen3vl");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  ServeFlags serve;
  ChatFlags chat;
  BatchFlags batch;
  TraceFlags trace;
  BenchFlags bench;
  auto* const serve_command = app.add_subcommand("serve", "the web page and the HTTP API");
  auto* const chat_command = app.add_subcommand("chat", "ask in the terminal");
  auto* const batch_command = app.add_subcommand("batch", "answer a file of requests, or one question about each picture of a folder");
  auto* const trace_command = app.add_subcommand("trace", "write every intermediate tensor of one request");
  add_serve(*serve_command, serve);
  add_chat(*chat_command, chat);
  add_batch(*batch_command, batch);
  add_trace(*trace_command, trace);
  auto* const bench_command = app.add_subcommand("bench", "time prefill, decode and a picture");
  add_bench(*bench_command, bench);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    throw Error(ErrorKind::kBadFlag, "bad_flag", printable(e.what(), 400) + "; see qwen3vl --help");
  }
  for (const ModelFlags* flags : {&serve.model, &chat.model, &batch.model, &trace.model}) flags->load_options();  // before anything is read
  if (serve_command->parsed()) {
    finish_serve(*serve_command, serve);
    return run_serve(serve);
  }
  if (chat_command->parsed()) return run_chat(chat);
  if (batch_command->parsed()) return run_batch(batch);
  if (bench_command->parsed()) return run_bench(bench);
  return run_trace(trace);
}

}  // namespace qvl
