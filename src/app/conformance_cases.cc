// End-to-end cases: messages and files in, every stored tensor and the greedy answer compared.
#include <algorithm>
#include <cmath>
#include <map>

#include "app/conformance.h"
#include "app/request_trace.h"
#include "base/error.h"
#include "base/hash.h"
#include "engine/local_engine.h"
#include "weights/weight_store.h"

namespace qvl {
namespace fs = std::filesystem;
namespace {

// Recommended by the reference data's README.
struct Tolerances {
  double pixels = 1e-6, vision = 1e-4, hidden = 5e-4, logits = 2e-4, margin = 2e-3;
  double vision_cosine = 0, logits_cosine = 0, top1_rate = 1;
};
constexpr Tolerances kFloat32;
constexpr Tolerances kBFloat16 = {1e-6, 1e9, 1e9, 0.6, 0.6, 0.9998, 0.999, 0.95};

struct Distance {
  double max_abs = 0, cosine = 1;
};

Distance distance(const float* a, const float* b, size_t n) {
  double dot = 0, aa = 0, bb = 0, worst = 0;
  for (size_t i = 0; i < n; ++i) {
    dot += double{a[i]} * b[i], aa += double{a[i]} * a[i], bb += double{b[i]} * b[i];
    const double difference = std::abs(double{a[i]} - b[i]);
    if (!(difference <= worst)) worst = difference;
    if (std::isnan(difference)) return {difference, difference};  // no later difference may hide it
  }
  return {worst, aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : 1};
}

// One case's findings; the first problem names it.
class Check {
 public:
  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }
  void expect(bool ok, const std::string& what) {
    if (!ok) fail(what);
  }
  const std::string& problem() const { return problem_; }

 private:
  std::string problem_;
};

class CaseFamily {
 public:
  CaseFamily(const ConformanceOptions& options, std::string checkpoint)
      : options_(options), checkpoint_(std::move(checkpoint)), bf16_(options.load.precision == Precision::kBFloat16),
        tolerances_(bf16_ ? kBFloat16 : kFloat32) {}

  void run(FamilyReport& report) {
    model_ = load_model(options_.folder / "checkpoints" / checkpoint_, options_.load);
    moe_ = model_.config.text.moe.has_value();
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(options_.folder / "cases" / checkpoint_)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    if (options_.max_cases > 0 && files.size() > options_.max_cases) files.resize(options_.max_cases);
    for (const auto& file : files) {
      Check check;
      try {
        run_case(file, check, report);
      } catch (const std::exception& e) {
        check.fail(e.what());
      }
      report.expect(check.problem().empty(), file.stem().string() + ": " + check.problem());
    }
    summarise(report);
  }

 private:
  void run_case(const fs::path& file, Check& check, FamilyReport& report);
  void compare_vision(const Json& row, const RequestTrace& trace, Check& check);
  void compare_tensor(const std::string& name, const ConstTensorView& want, const RequestTrace& trace, const Json& row,
                      Check& check, FamilyReport& report, WeightStore& store);
  void compare_floats(const std::string& name, const float* got, const ConstTensorView& want, Check& check, FamilyReport& report);
  void compare_greedy(const Json& row, const RequestTrace& forced, Check& check, FamilyReport& report);
  void compare_engine(const Json& row, const Prompt& prompt, Check& check);
  void summarise(FamilyReport& report);

  const ConformanceOptions& options_;
  std::string checkpoint_;
  bool bf16_, moe_ = false;
  Tolerances tolerances_;
  LoadedModel model_;
  std::vector<double> logit_errors_;
  int64_t steps_ = 0, same_steps_ = 0;
};

void CaseFamily::run_case(const fs::path& file, Check& check, FamilyReport& report) {
  const Json row = read_json(file);
  const LocalRequest request = load_local_request(row, options_.folder, model_.processor, AlphaMode::kDrop);
  TraceOptions trace_options;
  trace_options.forced = row["greedy"]["ids"].get<std::vector<int32_t>>();
  trace_options.keep_wrapper = row.value("video_wrapper", Json()) == "keep";
  const RequestTrace trace = trace_request(model_, request, trace_options);
  const auto text = join_segments(render_chat(model_.template_kind, request.messages, request.tools, request.render));
  check.expect(text == row["prompt"].get<std::string>(), "the rendered prompt differs");
  check.expect(trace.prompt.token_ids == row["input_ids"].get<std::vector<int32_t>>(), "the token ids differ");
  check.expect(trace.prompt.rope_delta == row["rope_delta"].get<int>(), "rope_delta differs");
  compare_vision(row, trace, check);
  const auto store = open_safetensors(fs::path(file).replace_extension(".safetensors"));
  for (const auto& name : store->names()) compare_tensor(name, store->view(name), trace, row, check, report, *store);
  compare_greedy(row, trace, check, report);
  if (!bf16_) compare_engine(row, trace.prompt, check);
}

void CaseFamily::compare_vision(const Json& row, const RequestTrace& trace, Check& check) {
  std::map<std::string, int> seen;
  std::map<std::string, size_t> first_value;
  for (const auto& v : row["vision"]) {
    const std::string kind = v["kind"].get<std::string>();
    const TraceTensor& pixels = trace.tensors.at(fmt::format("{}_resized_u8.{}", kind, seen[kind]++));
    check.expect(hex(sha256(std::as_bytes(std::span(pixels.bytes)))) == v["resized_u8_sha256"].get<std::string>(),
                 kind + ": the resized pixels differ");
    const TraceTensor& values = trace.tensors.at(kind + "_pixel_values");
    const size_t count = v["patches"].get<size_t>() * static_cast<size_t>(values.shape[1]);
    const auto part = std::span(values.floats).subspan(first_value[kind], count);
    first_value[kind] += count;
    check.expect(hex(sha256(std::as_bytes(part))) == v["pixel_values_sha256"].get<std::string>(), kind + ": pixel_values differ");
  }
}

void CaseFamily::compare_tensor(const std::string& name, const ConstTensorView& want, const RequestTrace& trace, const Json& row,
                                Check& check, FamilyReport& report, WeightStore& store) {
  if (name.ends_with("_row_index") || name.find("resized_u8") != std::string::npos) {
    if (name.ends_with("_row_index")) return;
    const TraceTensor& got = trace.tensors.at(name);
    check.expect(got.shape == want.shape && std::equal(got.bytes.begin(), got.bytes.end(), want.as<uint8_t>()), name + " differs");
    return;
  }
  // Some tensors are stored as a choice of rows: those listed, or the first, middle and last token's.
  std::string whole = name;
  std::vector<int64_t> rows;
  if (const size_t at = name.find("_pixel_rows"); at != std::string::npos) {
    whole = name.substr(0, at) + "_pixel_values";
    const auto index = store.view(name.substr(0, at) + "_pixel_row_index");
    rows.assign(index.as<int32_t>(), index.as<int32_t>() + index.elements());
  } else if (const size_t at_deep = name.find("_deepstack_rows."); at_deep != std::string::npos) {
    whole = name.substr(0, at_deep) + "_deepstack." + name.substr(name.rfind('.') + 1);
    const int64_t n = trace.tensors.at(whole).shape[0];
    rows = {0, n / 2, n - 1};
  }
  const auto it = trace.tensors.find(whole);
  if (it == trace.tensors.end()) return check.fail(name + " is not traced");
  const TraceTensor& got = it->second;
  if (want.dtype == DType::kI32) {
    // In bfloat16 another expert may be chosen where the router's margin is small.
    if (bf16_ && name.find("router") != std::string::npos) return;
    check.expect(got.shape == want.shape && std::equal(got.ints.begin(), got.ints.end(), want.as<int32_t>()), name + " differs");
    return;
  }
  std::vector<float> picked;
  const float* values = got.floats.data();
  if (!rows.empty()) {
    const int64_t width = got.shape[1];
    for (const int64_t r : rows) picked.insert(picked.end(), values + r * width, values + (r + 1) * width);
    values = picked.data();
    if (static_cast<int64_t>(picked.size()) != want.elements()) return check.fail(name + ": another number of rows");
  } else if (got.shape != want.shape) {
    return check.fail(fmt::format("{}: shape {}, not {}", name, to_string(got.shape), to_string(want.shape)));
  }
  (void)row;
  compare_floats(name, values, want, check, report);
}

void CaseFamily::compare_floats(const std::string& name, const float* got, const ConstTensorView& want, Check& check,
                                FamilyReport& report) {
  const Distance d = distance(got, want.as<float>(), static_cast<size_t>(want.elements()));
  const auto is = [&](const char* part) { return name.find(part) != std::string::npos; };
  const auto close = [&](double limit) {
    check.expect(d.max_abs <= limit, fmt::format("{} is off by {:.3g}, at most {:.3g} expected", name, d.max_abs, limit));
  };
  if (is("pixel_")) return close(tolerances_.pixels);
  if (is("logits")) {
    if (name == "last_logits") logit_errors_.push_back(d.max_abs);
    if (bf16_ && moe_) return;  // judged by the median of all cases
    if (!bf16_ || name == "last_logits") {
      report.error(d.max_abs);
      close(tolerances_.logits);
    }
    check.expect(d.cosine >= tolerances_.logits_cosine, fmt::format("{}: cosine {:.6f}", name, d.cosine));
    return;
  }
  if (is("image_") || is("video_") || is("vision.")) {
    close(is("vision.block") ? tolerances_.hidden : tolerances_.vision);
    if (is("_embeds")) check.expect(d.cosine >= tolerances_.vision_cosine, fmt::format("{}: cosine {:.6f}", name, d.cosine));
    return;
  }
  close(tolerances_.hidden);
}

// Under the reference's own prefix: the same best token at each step, or a margin too small to tell.
void CaseFamily::compare_greedy(const Json& row, const RequestTrace& forced, Check& check, FamilyReport& report) {
  const auto ids = row["greedy"]["ids"].get<std::vector<int32_t>>();
  for (size_t step = 0; step < ids.size(); ++step) {
    const Json& want = row["greedy"]["steps"][step];
    const double margin = want["margin"].get<double>();
    ++steps_;
    same_steps_ += forced.generated[step] == ids[step];
    if (bf16_ && moe_) continue;
    check.expect(forced.generated[step] == ids[step] || margin < tolerances_.margin,
                 fmt::format("greedy step {}: token {}, not {} (margin {})", step, forced.generated[step], ids[step], margin));
    for (const auto& top : want["top5"]) {
      const double error = std::abs(forced.steps[step][top[0].get<size_t>()] - top[1].get<double>());
      if (!bf16_) report.error(error);
      check.expect(error <= tolerances_.logits + 1e-5,  // stored with five decimals
                   fmt::format("greedy step {}: the logit of {} is off by {:.3g}", step, top[0].get<int>(), error));
    }
  }
}

// The whole engine, its prefill cut into odd chunks that end inside pictures: the same greedy ids.
void CaseFamily::compare_engine(const Json& row, const Prompt& prompt, Check& check) {
  const auto ids = row["greedy"]["ids"].get<std::vector<int32_t>>();
  const auto engine = make_local_engine(*model_.model, {.context_tokens = 4096, .max_sequences = 2, .prefill_chunk = 7,
                                                        .max_queue = 4, .image_cache_bytes = 1 << 20, .stop_token_ids = {}});
  const auto stream = engine->submit(prompt, {.temperature = 0, .max_tokens = static_cast<int64_t>(ids.size())});
  for (size_t step = 0;; ++step) {
    const auto item = stream->next();
    if (item.kind == TokenStream::Item::Kind::kDone) {
      check.expect(item.finish == FinishReason::kLength, "engine: " + item.error_message);
      return;
    }
    if (item.token.id == ids[step]) continue;
    check.expect(row["greedy"]["steps"][step]["margin"].get<double>() < tolerances_.margin,
                 fmt::format("engine step {}: token {}, not {}", step, item.token.id, ids[step]));
    stream->cancel();
    return;
  }
}

void CaseFamily::summarise(FamilyReport& report) {
  if (logit_errors_.empty()) return;
  std::sort(logit_errors_.begin(), logit_errors_.end());
  const double median = logit_errors_[logit_errors_.size() / 2];
  const double rate = static_cast<double>(same_steps_) / static_cast<double>(std::max<int64_t>(1, steps_));
  report.note = fmt::format("last logits: median {:.2g}, greedy under the reference prefix {:.1f} %", median, 100 * rate);
  if (!bf16_) return;
  if (moe_) {
    report.error(median);
    report.expect(median <= 0.6 && rate >= 0.85, report.note);
  } else {
    report.expect(rate >= tolerances_.top1_rate, report.note);
  }
}

}  // namespace

std::vector<Family> case_families(const ConformanceOptions& options) {
  std::vector<Family> out;
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(options.folder / "cases", ignored)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  if (names.empty()) names = {"all"};  // named as skipped
  for (const auto& name : names) {
    out.push_back({"cases/" + name, {"cases/" + name, "checkpoints/" + name},
                   [name](const ConformanceOptions& o, FamilyReport& report) { CaseFamily(o, name).run(report); }});
  }
  return out;
}

}  // namespace qvl
