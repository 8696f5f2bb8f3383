#include "serve/http_metrics.h"

#include <set>

#include "serve/process_stats.h"

namespace qvl {
namespace {

// A label's value, escaped.
std::string label_value(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

class MetricsText {
 public:
  explicit MetricsText(MetricNames names) : names_(names) {}

  // Suffixes that vLLM has as well.
  void shared(const char* suffix, const char* type, const char* help) {
    family((names_ == MetricNames::kVllm ? "vllm:" : "qwenvl_") + std::string(suffix), type, help);
  }
  void own(const char* suffix, const char* type, const char* help) {
    family("qwenvl_" + std::string(suffix), type, help);
  }
  void family(std::string name, const char* type, const char* help) {
    name_ = std::move(name);
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name_, help, name_, type);
  }
  void sample(const std::string& labels, double value) { line("", labels, fmt::format("{}", value)); }
  void sample(const std::string& labels, int64_t value) { line("", labels, fmt::format("{}", value)); }
  void histogram(const std::string& labels, const Histogram& histogram) {
    const auto counts = histogram.cumulative();
    for (size_t i = 0; i < histogram.bounds().size(); ++i) {
      line("_bucket", fmt::format("{},le=\"{}\"", labels, histogram.bounds()[i]), fmt::format("{}", counts[i]));
    }
    line("_bucket", labels + ",le=\"+Inf\"", fmt::format("{}", counts.back()));
    line("_sum", labels, fmt::format("{}", histogram.sum()));
    line("_count", labels, fmt::format("{}", counts.back()));
  }
  std::string take() { return std::move(text_); }

 private:
  void line(const char* suffix, const std::string& labels, const std::string& value) {
    text_ += labels.empty() ? fmt::format("{}{} {}\n", name_, suffix, value)
                            : fmt::format("{}{}{{{}}} {}\n", name_, suffix, labels, value);
  }

  MetricNames names_;
  std::string name_, text_;
};

std::string label(const ServedModel& model) { return "model_name=" + label_value(model.id); }

// Models may share an engine: its state stands under the first one's name.
std::vector<std::pair<std::string, EngineStats>> engines(const ModelRegistry& models) {
  std::vector<std::pair<std::string, EngineStats>> out;
  std::set<const Engine*> seen;
  for (const auto& model : models.models()) {
    if (model->engine && seen.insert(model->engine).second) out.emplace_back(label(*model), model->engine->stats());
  }
  return out;
}

double kv_usage(const EngineStats& stats) {
  if (stats.kv_blocks_total == 0) return 0;
  return static_cast<double>(stats.kv_blocks_total - stats.kv_blocks_free) / static_cast<double>(stats.kv_blocks_total);
}

void write_engines(MetricsText& text, const ModelRegistry& models) {
  const auto all = engines(models);
  const auto each = [&](auto value) {
    for (const auto& [labels, stats] : all) text.sample(labels, value(stats));
  };
  text.shared("num_requests_running", "gauge", "Requests that are being answered.");
  each([](const EngineStats& s) { return int64_t{s.running}; });
  text.shared("num_requests_waiting", "gauge", "Requests that wait for their turn.");
  each([](const EngineStats& s) { return int64_t{s.waiting}; });
  text.shared("kv_cache_usage_perc", "gauge", "Part of the KV cache that requests use; 1 is all of it.");
  each(kv_usage);
  text.shared("num_preemptions_total", "counter", "Times that a request made room for others.");
  each([](const EngineStats& s) { return s.preemptions; });
  text.shared("prefix_cache_queries_total", "counter", "Prompt tokens looked up in the prefix cache.");
  each([](const EngineStats& s) { return s.prefix_query_tokens; });
  text.shared("prefix_cache_hits_total", "counter", "Prompt tokens found in the prefix cache.");
  each([](const EngineStats& s) { return s.prefix_hit_tokens; });
  text.own("image_cache_hits_total", "counter", "Pictures whose features were known or not needed.");
  each([](const EngineStats& s) { return s.image_hits; });
  text.own("image_cache_misses_total", "counter", "Pictures that were encoded.");
  each([](const EngineStats& s) { return s.image_misses; });
  text.own("image_cache_bytes", "gauge", "Features of pictures in memory.");
  each([](const EngineStats& s) { return s.image_cache_bytes; });
}

struct CounterFamily {
  const char* suffix;
  const char* help;
  Counter ModelMetrics::*counter;
  bool shared;
};
constexpr CounterFamily kCounters[] = {
    {"prompt_tokens_total", "Tokens of prompts, pictures included.", &ModelMetrics::prompt_tokens, true},
    {"generation_tokens_total", "Tokens of answers.", &ModelMetrics::generation_tokens, true},
    {"spec_decode_num_draft_tokens_total", "Guessed tokens that were verified.", &ModelMetrics::guessed_tokens, true},
    {"spec_decode_num_accepted_tokens_total", "Guessed tokens that answers took.", &ModelMetrics::accepted_tokens, true},
    {"image_tokens_total", "Prompt tokens of pictures and videos.", &ModelMetrics::image_tokens, false},
};

struct HistogramFamily {
  const char* suffix;
  const char* help;
  Histogram ModelMetrics::*histogram;
  bool shared;
};
constexpr HistogramFamily kHistograms[] = {
    {"time_to_first_token_seconds", "From a request's arrival to its first token.", &ModelMetrics::ttft, true},
    {"inter_token_latency_seconds", "Between two tokens of an answer.", &ModelMetrics::token_gap, true},
    {"e2e_request_latency_seconds", "From a request's arrival to its end.", &ModelMetrics::latency, true},
    {"request_queue_time_seconds", "Waiting for a turn.", &ModelMetrics::queue, true},
    {"request_prefill_time_seconds", "Reading the prompt.", &ModelMetrics::prefill, true},
    {"request_decode_time_seconds", "Writing the answer.", &ModelMetrics::decode, true},
    {"request_prompt_tokens", "Tokens of a prompt.", &ModelMetrics::request_prompt_tokens, true},
    {"request_generation_tokens", "Tokens of an answer.", &ModelMetrics::request_generation_tokens, true},
    {"vision_encode_seconds", "Encoding the pictures of a request that were not known.", &ModelMetrics::vision, false},
};

void write_models(MetricsText& text, const ModelRegistry& models) {
  for (const CounterFamily& family : kCounters) {
    family.shared ? text.shared(family.suffix, "counter", family.help) : text.own(family.suffix, "counter", family.help);
    for (const auto& model : models.models()) text.sample(label(*model), ((*model->metrics).*family.counter).value());
  }
  text.shared("request_success_total", "counter", "Requests that ended, by the reason.");
  for (const auto& model : models.models()) {
    for (size_t i = 0; i < ModelMetrics::kEndNames.size(); ++i) {
      text.sample(fmt::format("{},finished_reason=\"{}\"", label(*model), ModelMetrics::kEndNames[i]), model->metrics->ends[i].value());
    }
  }
  for (const HistogramFamily& family : kHistograms) {
    family.shared ? text.shared(family.suffix, "histogram", family.help) : text.own(family.suffix, "histogram", family.help);
    for (const auto& model : models.models()) text.histogram(label(*model), (*model->metrics).*family.histogram);
  }
}

// llama-server's names, which have no labels: all models together.
void write_llama_cpp(MetricsText& text, const ModelRegistry& models) {
  int64_t prompt = 0, predicted = 0, drafted = 0, accepted = 0, running = 0, waiting = 0;
  double prompt_seconds = 0, predicted_seconds = 0;
  for (const auto& model : models.models()) {
    const ModelMetrics& m = *model->metrics;
    prompt += m.prompt_tokens.value() - m.cached_tokens.value();
    predicted += m.generation_tokens.value();
    drafted += m.guessed_tokens.value();
    accepted += m.accepted_tokens.value();
    prompt_seconds += m.prefill.sum();
    predicted_seconds += m.decode.sum();
  }
  for (const auto& [labels, stats] : engines(models)) running += stats.running, waiting += stats.waiting;
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    text.family(std::string("llamacpp:") + name, type, help);
    text.sample("", value);
  };
  const auto rate = [](int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0; };
  one("prompt_tokens_total", "counter", "Prompt tokens computed.", prompt);
  one("prompt_seconds_total", "counter", "Time of reading prompts.", prompt_seconds);
  one("tokens_predicted_total", "counter", "Tokens of answers.", predicted);
  one("tokens_predicted_seconds_total", "counter", "Time of writing answers.", predicted_seconds);
  one("prompt_tokens_seconds", "gauge", "Prompt tokens a second, the mean so far.", rate(prompt, prompt_seconds));
  one("predicted_tokens_seconds", "gauge", "Tokens of answers a second, the mean so far.", rate(predicted, predicted_seconds));
  one("requests_processing", "gauge", "Requests that are being answered.", running);
  one("requests_deferred", "gauge", "Requests that wait.", waiting);
  one("spec_decode_num_draft_tokens_total", "counter", "Guessed tokens that were verified.", drafted);
  one("spec_decode_num_accepted_tokens_total", "counter", "Guessed tokens that answers took.", accepted);
}

void write_http(MetricsText& text, const HttpMetrics& http) {
  text.own("http_responses_total", "counter", "HTTP answers by route and class of status.");
  for (const auto& entry : http.entries()) {
    for (size_t i = 1; i < entry->classes.size(); ++i) {
      const int64_t count = entry->classes[i].value();
      if (count == 0) continue;
      text.sample(fmt::format("method={},route={},status=\"{}xx\"", label_value(entry->method), label_value(entry->path), i), count);
    }
  }
}

void write_process(MetricsText& text) {
  const ProcessStats stats = process_stats();
  const auto one = [&](const char* name, const char* type, const char* help, auto value) {
    text.family(name, type, help);
    text.sample("", value);
  };
  one("process_resident_memory_bytes", "gauge", "Memory of the process.", stats.resident_bytes);
  one("process_open_fds", "gauge", "Open files and sockets.", stats.open_fds);
  one("process_threads", "gauge", "Threads.", stats.threads);
  one("process_cpu_seconds_total", "counter", "Time of all cores.", stats.cpu_seconds);
  one("process_start_time_seconds", "gauge", "Start of the process in seconds since 1970.", stats.start_time);
}

}  // namespace

HttpMetrics::HttpMetrics() {
  entries_.push_back(std::make_shared<RouteAnswers>());
  entries_.back()->method = entries_.back()->path = "other";
}

void HttpMetrics::watch(std::vector<Route>& routes) {
  for (Route& route : routes) {
    entries_.push_back(std::make_shared<RouteAnswers>());
    entries_.back()->method = route.method;
    entries_.back()->path = route.path;
    route.answers = entries_.back();
  }
}

std::string metrics_text(const ModelRegistry& models, const HttpMetrics& http, MetricNames names) {
  MetricsText text(names);
  write_engines(text, models);
  write_models(text, models);
  if (names == MetricNames::kLlamaCpp) write_llama_cpp(text, models);
  write_http(text, http);
  write_process(text);
  return text.take();
}

Route metrics_route(const ModelRegistry& models, std::shared_ptr<const HttpMetrics> http, MetricNames names) {
  return {"GET", "/metrics", true, [&models, http = std::move(http), names](HttpRequest&) -> HandlerResult {
            HttpResponse response;
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            response.body = metrics_text(models, *http, names);
            return response;
          }};
}

}  // namespace qvl
