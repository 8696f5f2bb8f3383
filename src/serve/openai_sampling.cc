#include "serve/openai_sampling.h"

#include <charconv>

namespace qvl {
namespace {

constexpr int64_t kMaxInt32 = 2147483647;
constexpr size_t kMaxStops = 16, kMaxStopBytes = 256;

// A number above zero: of 0 these knobs would have no meaning.
std::optional<double> positive(const Fields& fields, const char* name, double high) {
  const auto value = fields.number(name, 0, high);
  if (value && *value <= 0) invalid_value(name, fmt::format("expected a number above 0 and up to {}", high));
  return value;
}

std::optional<uint64_t> read_seed(const Fields& fields) {
  const Json* seed = fields.find("seed");
  if (!seed) return std::nullopt;
  if (seed->is_number_unsigned()) return seed->get<uint64_t>();
  const int64_t value = to_integer(*seed, "seed", -1, INT64_MAX);
  return value == -1 ? std::nullopt : std::optional(static_cast<uint64_t>(value));  // -1: random, as absent
}

void read_max_tokens(const Fields& fields, SamplingRequest& sampling) {
  const auto older = fields.integer("max_tokens", 1, kMaxInt32);
  const auto newer = fields.integer("max_completion_tokens", 1, kMaxInt32);
  if (older && newer && *older != *newer) {
    invalid_value("max_completion_tokens", fmt::format("differs from max_tokens: {} and {}", *newer, *older));
  }
  sampling.max_tokens = newer ? newer : older;
  sampling.min_tokens = fields.integer("min_tokens", 0, kMaxInt32).value_or(0);
  if (sampling.max_tokens && sampling.min_tokens > *sampling.max_tokens) {
    invalid_value("min_tokens", fmt::format("expected at most max_tokens = {}", *sampling.max_tokens));
  }
}

void read_logit_bias(const Fields& fields, int vocab_size, SamplingRequest& sampling) {
  const Json* bias = fields.object("logit_bias");
  if (!bias) return;
  for (const auto& [key, value] : bias->items()) {
    int32_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0 || id >= vocab_size) {
      invalid_value("logit_bias", fmt::format("expected token ids from 0 to {} as keys, found \"{}\"", vocab_size - 1,
                                              printable(key)));
    }
    if (!value.is_number()) invalid_type("logit_bias." + key, "a number", value);
    const auto number = value.get<double>();
    if (!(number >= -100 && number <= 100)) invalid_value("logit_bias." + key, "expected a number from -100 to 100");
    sampling.logit_bias.emplace_back(id, static_cast<float>(number));
  }
}

void read_stop(const Fields& fields, int vocab_size, SamplingRequest& sampling, std::vector<std::string>& out) {
  if (const Json* stop = fields.find("stop")) {
    const auto add = [&](const Json& text, const std::string& param) {
      if (!text.is_string()) invalid_type(param, "a string", text);
      const auto& value = text.get_ref<const std::string&>();
      if (value.size() > kMaxStopBytes) too_large(param, kMaxStopBytes);
      if (value.empty()) invalid_value(param, "expected text, found an empty string");
      out.push_back(value);
    };
    if (stop->is_string()) {
      add(*stop, "stop");
    } else if (stop->is_array()) {
      fields.array("stop", kMaxStops);
      for (size_t i = 0; i < stop->size(); ++i) add((*stop)[i], fmt::format("stop[{}]", i));
    } else {
      invalid_type("stop", "a string or an array of strings", *stop);
    }
  }
  if (const Json* ids = fields.array("stop_token_ids", 256)) {
    for (const Json& id : *ids) {
      sampling.stop_token_ids.push_back(static_cast<int32_t>(to_integer(id, "stop_token_ids", 0, vocab_size - 1)));
    }
  }
}

}  // namespace

void read_sampling(const Fields& fields, int vocab_size, SamplingRequest& sampling, std::vector<std::string>& stop) {
  sampling.temperature = fields.number("temperature", 0, 2);
  sampling.top_p = positive(fields, "top_p", 1);
  sampling.top_k = fields.integer("top_k", -1, kMaxInt32);
  sampling.min_p = fields.number("min_p", 0, 1);
  sampling.presence_penalty = fields.number("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.number("frequency_penalty", -2, 2);
  sampling.repetition_penalty = positive(fields, "repetition_penalty", 2);
  sampling.seed = read_seed(fields);
  sampling.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  sampling.priority = static_cast<int>(fields.integer("priority", -kMaxInt32 - 1, kMaxInt32).value_or(0));
  read_max_tokens(fields, sampling);
  read_logit_bias(fields, vocab_size, sampling);
  read_stop(fields, vocab_size, sampling, stop);
}

int read_n(const Fields& fields) {
  const auto n = fields.integer("n", 1, kMaxAnswers);
  const auto best_of = fields.integer("best_of", 1, kMaxInt32);
  if (best_of && *best_of != n.value_or(1)) unsupported("best_of", "only the value of n is supported");
  return static_cast<int>(n.value_or(1));
}

StreamRequest read_stream(const Fields& fields) {
  StreamRequest out;
  out.stream = fields.boolean("stream").value_or(false);
  const Json* options = fields.object("stream_options");
  if (!options) return out;
  const Fields entry(*options, "stream_options");
  out.usage.include_usage = entry.boolean("include_usage").value_or(false);
  out.usage.continuous_usage = entry.boolean("continuous_usage_stats").value_or(false) && out.usage.include_usage;
  if (!out.stream) invalid_value("stream_options", "expected \"stream\": true beside it");
  return out;
}

void check_annotations(const Fields& fields) {
  for (const char* name : {"user", "safety_identifier", "prompt_cache_key", "service_tier"}) {
    fields.string(name, kMaxAnnotationBytes);
  }
  fields.boolean("store");
  if (const Json* metadata = fields.object("metadata"); metadata && dump_json(*metadata).size() > kMaxAnnotationBytes) {
    too_large("metadata", kMaxAnnotationBytes);
  }
}

void refuse_unsupported(const Fields& fields) {
  // Fields that would change the answer, with the value that asks for nothing.
  static const std::pair<const char*, Json> kNeutral[] = {
      {"use_beam_search", false},
      {"length_penalty", 1},
      {"include_stop_str_in_output", false},
      {"prompt_logprobs", 0},
      {"bad_words", Json::array()},
      {"allowed_token_ids", Json::array()},
      {"logits_processors", Json::array()},
      {"skip_special_tokens", true},
      {"truncate_prompt_tokens", -1},
      {"typical_p", 1},
      {"mirostat", 0},
      {"dynatemp_range", 0},
      {"xtc_probability", 0},
      {"dry_multiplier", 0},
      {"n_probs", 0},
      {"add_special_tokens", false},
      {"return_tokens_as_token_ids", false},
      {"return_token_ids", false},
      {"verbosity", "medium"},
      {"top_n_sigma", -1},
      {"samplers", Json()},
      {"n_predict", Json()},
      {"repeat_penalty", Json()},
      {"prompt_embeds", Json()},
      {"lora", Json::array()},
  };
  for (const auto& [name, neutral] : kNeutral) {
    const Json* value = fields.find(name);
    if (!value || *value == neutral) continue;
    const std::string_view name_text = name;
    unsupported(name, name_text == "n_predict"        ? "use max_tokens"
                      : name_text == "repeat_penalty" ? "use repetition_penalty"
                                                      : "not supported by this server");
  }
}

}  // namespace qvl
