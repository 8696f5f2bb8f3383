// How far a model's answers move when its weights are rounded: for each question the first variant answers greedily, then
// every variant is given those same tokens, and the distributions of the next token are compared.
//
//   quality [--questions FILE] [--limit N] [--tokens N] VARIANT VARIANT...      such as demo,float32 demo,int8 demo,int4
//
// VARIANT: MODEL[,none|int8|int4][,calibrated][,float32|bfloat16], the first being the truth. FILE: one JSON object a line with "picture" (a
// file beside it, or null), "questions", "expected" and "thinking". Prints for each variant the bits of its packed matrices a weight, the
// mean Kullback-Leibler divergence from the first over all tokens, the share of tokens whose best choice is the same, and the
// share of answers that are the same to the last token.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "app/request_trace.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace qvl {
namespace {

struct Variant {
  std::string name;
  LoadedModel model;
  double divergence = 0;
  int64_t tokens = 0, same_best = 0, same_answers = 0;
};

LoadedModel load_variant(const std::string& text) {
  LoadOptions options;
  size_t end = text.find(',');
  const std::string model = text.substr(0, end);
  while (end != text.npos) {
    const size_t begin = end + 1;
    end = text.find(',', begin);
    const std::string word = text.substr(begin, end == text.npos ? end : end - begin);
    if (const auto quantize = parse_quantize(word)) {
      options.quantize = *quantize;
    } else if (word == "float32" || word == "bfloat16") {
      options.precision = word == "float32" ? Precision::kFloat32 : Precision::kBFloat16;
    } else if (word == "calibrated") {
      options.calibrate = true;
    } else {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "{}: expected none, int8, int4, calibrated, float32 or bfloat16", printable(word));
    }
  }
  if (options.calibrate && options.quantize != Quantize::kInt4) {
    throw_error(ErrorKind::kBadFlag, "bad_flag", "{}: calibrated needs int4", printable(text));
  }
  return load_model(find_model(model), options);
}

// Earlier turns with their expected answers, then the last question.
Json messages_of(const Json& question) {
  Json messages = Json::array();
  const auto& asked = question.at("questions");
  for (size_t turn = 0; turn < asked.size(); ++turn) {
    Json content = Json::array();
    if (turn == 0 && question.at("picture").is_string()) {
      content.push_back({{"type", "image_url"}, {"image_url", {{"url", question.at("picture")}}}});
    }
    content.push_back({{"type", "text"}, {"text", asked[turn]}});
    messages.push_back({{"role", "user"}, {"content", content}});
    if (turn + 1 < asked.size()) messages.push_back({{"role", "assistant"}, {"content", question.at("expected").at(turn)}});
  }
  return messages;
}

double divergence(const std::vector<float>& truth, const std::vector<float>& other) {
  const auto log_total = [](const std::vector<float>& logits) {
    const double top = *std::max_element(logits.begin(), logits.end());
    double total = 0;
    for (const float x : logits) total += std::exp(x - top);
    return top + std::log(total);
  };
  const double a = log_total(truth), b = log_total(other);
  double sum = 0;
  for (size_t i = 0; i < truth.size(); ++i) sum += std::exp(truth[i] - a) * ((truth[i] - a) - (other[i] - b));
  return sum;
}

// As many of the ids as stand before an end of the text.
std::vector<int32_t> answer_of(const std::vector<int32_t>& ids, const GenerationConfig& generation) {
  const auto end = std::find_first_of(ids.begin(), ids.end(), generation.eos_token_id.begin(), generation.eos_token_id.end());
  return {ids.begin(), end};
}

double bits_per_weight(const LoadedModel& m) {
  return 8 * static_cast<double>(m.model->vision.weight_bytes() + m.model->language.weight_bytes().total) /
         static_cast<double>(parameter_count(m.config));
}

class Quality {
 public:
  Quality(std::vector<std::string> variants, int tokens) : tokens_(tokens) {
    for (auto& name : variants) variants_.push_back({.name = name, .model = load_variant(name)});
  }

  void ask(const Json& question, const std::filesystem::path& folder) {
    const Json file = {{"messages", messages_of(question)}};
    std::vector<int32_t> answer;
    std::vector<std::vector<float>> truth;
    for (auto& v : variants_) {
      v.model.template_kind = question.at("thinking").get<bool>() ? TemplateKind::kThinking : TemplateKind::kInstruct;
      const LocalRequest request = load_local_request(file, folder, v.model.processor, AlphaMode::kWhite);
      const RequestTrace own = trace_request(v.model, request, {.generate = tokens_, .forced = {}});
      const auto own_answer = answer_of(own.generated, v.model.generation);
      if (&v == &variants_.front()) {
        answer = own_answer;
        truth = own.steps;
        truth.resize(std::min(truth.size(), answer.size() + 1));  // the end of the text counts as a token
      }
      v.same_answers += own_answer == answer;
      TraceOptions forced = {.generate = 0, .forced = answer};
      if (forced.forced.size() < truth.size()) forced.forced.push_back(0);  // its last step's input is not used
      const RequestTrace told = trace_request(v.model, request, forced);
      for (size_t i = 0; i < truth.size(); ++i) {
        v.divergence += divergence(truth[i], told.steps[i]);
        const auto best = [](const std::vector<float>& x) { return std::max_element(x.begin(), x.end()) - x.begin(); };
        v.same_best += best(truth[i]) == best(told.steps[i]);
        ++v.tokens;
      }
    }
    ++questions_;
  }

  void print() const {
    std::printf("%lld questions\n%-44s %8s %12s %12s %12s\n", static_cast<long long>(questions_), "variant", "bits", "KL", "same best",
                "same answer");
    for (const auto& v : variants_) {
      const auto tokens = static_cast<double>(v.tokens);
      std::printf("%-44s %8.3f %12.3e %11.2f%% %11.2f%%\n", v.name.c_str(), bits_per_weight(v.model), v.divergence / tokens,
                  100 * static_cast<double>(v.same_best) / tokens,
                  100 * static_cast<double>(v.same_answers) / static_cast<double>(questions_));
    }
  }

 private:
  int tokens_;
  std::vector<Variant> variants_;
  int64_t questions_ = 0;
};

void ask_all(Quality& quality, const std::filesystem::path& file, int64_t limit) {
  const std::string text = read_file(file, ErrorKind::kInvalidRequest, "file_missing");
  int64_t asked = 0;
  for (size_t begin = 0; begin < text.size() && asked < limit; ++asked) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    quality.ask(parse_json(text.substr(begin, end - begin), file.string(), ErrorKind::kInvalidRequest, "invalid_json"),
                file.parent_path());
    begin = end + 1;
  }
}

}  // namespace
}  // namespace qvl

int main(int argc, char** argv) {
  qvl::log_init();
  spdlog::set_level(spdlog::level::warn);
  CLI::App app("How far a model's answers move when its weights are rounded.");
  std::vector<std::string> variants;
  std::filesystem::path file = "tests/data/demo_eval/questions.jsonl";
  int64_t limit = INT64_MAX;
  int tokens = 64;
  app.add_option("variants", variants, "MODEL[,none|int8|int4][,calibrated][,float32|bfloat16]; the first is the truth")->required()->expected(2, 16);
  app.add_option("--questions", file, "JSON lines")->capture_default_str();
  app.add_option("--limit", limit, "the first questions only");
  app.add_option("--tokens", tokens, "longest answer")->check(CLI::Range(1, 4096))->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  try {
    qvl::Quality quality(variants, tokens);
    qvl::ask_all(quality, file, limit);
    quality.print();
    return 0;
  } catch (const qvl::Error& e) {
    std::fprintf(stderr, "error: %s (%s)\n", e.what(), e.code.c_str());
    return qvl::exit_code(e.kind);
  }
}
