#include "app/request_trace.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "weights/safetensors_writer.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

class Tracer {
 public:
  Tracer(LoadedModel& model, const LocalRequest& request, const TraceOptions& options)
      : model_(model), request_(request), options_(options) {}

  RequestTrace run() {
    out_.prompt = build_local_prompt(model_, request_, options_.keep_wrapper);
    const auto tokens = static_cast<int64_t>(out_.prompt.token_ids.size());
    ints("position_ids", {3, tokens}, out_.prompt.positions);
    // All pictures before all videos, as the reference calls its vision tower.
    for (const bool video : {false, true}) {
      for (const auto& visual : request_.visuals) {
        if (visual.is_video == video) encode(visual);
      }
    }
    language();
    return std::move(out_);
  }

 private:
  // Adds rows to a tensor that several pictures share.
  void append(const std::string& name, const float* data, int64_t rows, int64_t width) {
    TraceTensor& tensor = out_.tensors[name];
    tensor.shape = {(tensor.shape.empty() ? 0 : tensor.shape[0]) + rows, width};
    tensor.floats.insert(tensor.floats.end(), data, data + rows * width);
  }

  void ints(const std::string& name, Shape shape, std::vector<int32_t> values) {
    out_.tensors[name] = {std::move(shape), {}, std::move(values), {}};
  }

  void encode(const LocalVisual& visual) {
    const std::string kind = visual.is_video ? "video" : "image";
    const VisionConfig& config = model_.config.vision;
    append(kind + "_pixel_values", visual.item.patches->data(), visual.grid.patches(), config.patch_dim());
    VisionFeatures f = model_.model->vision.forward(visual.grid, *visual.item.patches, [&](int block, const float* x, int64_t n) {
      append(block == 0 ? "vision.embed" : "vision.block." + std::to_string(block - 1), x, n, config.hidden_size);
    });
    append(kind + "_embeds", f.embeds.data(), f.tokens, config.out_hidden_size);
    for (size_t j = 0; j < f.deepstack.size(); ++j) {
      append(kind + "_deepstack." + std::to_string(j), f.deepstack[j].data(), f.tokens, config.out_hidden_size);
    }
    resized(kind, visual);
    features_[&visual] = std::move(f);
  }

  void resized(const std::string& kind, const LocalVisual& visual) {
    TraceTensor tensor;
    const Image& first = visual.resized[0];
    for (const auto& frame : visual.resized) tensor.bytes.insert(tensor.bytes.end(), frame.rgb.begin(), frame.rgb.end());
    if (visual.is_video) {
      if (visual.resized.size() % 2 != 0) {
        tensor.bytes.insert(tensor.bytes.end(), visual.resized.back().rgb.begin(), visual.resized.back().rgb.end());
      }
      tensor.shape = {static_cast<int64_t>(visual.resized.size() + visual.resized.size() % 2), first.height, first.width, 3};
    } else {
      tensor.shape = {first.height, first.width, 3};
    }
    out_.tensors[kind + "_resized_u8." + std::to_string(resized_count_[kind]++)] = std::move(tensor);
  }

  Batch prompt_batch(const std::vector<int32_t>& pages) const {
    Batch batch;
    batch.token_ids = out_.prompt.token_ids;
    batch.positions = out_.prompt.positions;
    batch.sequences = {{.row_begin = 0, .rows = batch.rows(), .past = 0, .pages = pages}};
    for (size_t v = 0; v < out_.prompt.visuals.size(); ++v) {
      const VisionFeatures& f = features_.at(&request_.visuals[v]);
      const auto& begins = out_.prompt.visuals[v].token_begins;
      const int64_t run = f.tokens / static_cast<int64_t>(begins.size());
      for (size_t g = 0; g < begins.size(); ++g) {
        batch.visuals.push_back({.row_begin = begins[g], .rows = run, .features = &f, .first_token = static_cast<int64_t>(g) * run});
      }
    }
    batch.logit_rows.resize(at(batch.rows()));
    std::iota(batch.logit_rows.begin(), batch.logit_rows.end(), 0);
    return batch;
  }

  void language() {
    const TextConfig& config = model_.config.text;
    const auto tokens = static_cast<int64_t>(out_.prompt.token_ids.size());
    const int64_t steps = options_.forced.empty() ? options_.generate : static_cast<int64_t>(options_.forced.size());
    const auto page_count = static_cast<int>((tokens + steps) / KvCache::kPageTokens + 1);
    const auto cache = model_.model->language.make_kv_cache(page_count);
    std::vector<int32_t> pages(at(page_count));
    std::iota(pages.begin(), pages.end(), 0);

    ForwardTrace trace;
    trace.embeds = [&](const float* x) { append("embeds", x, tokens, config.hidden_size); };
    trace.hidden = [&](int layer, const float* x) { append("hidden." + std::to_string(layer), x, tokens, config.hidden_size); };
    trace.final_norm = [&](const float* x) { append("final_norm", x, tokens, config.hidden_size); };
    trace.router = [&](int layer, const int32_t* indices, const float* weights) {
      const int64_t k = config.moe->num_experts_per_tok;
      ints("router." + std::to_string(layer) + ".indices", {tokens, k}, {indices, indices + tokens * k});
      append("router." + std::to_string(layer) + ".weights", weights, tokens, k);
    };
    auto logits = model_.model->language.forward(prompt_batch(pages), *cache, {}, &trace);
    append("logits", logits.data(), tokens, config.vocab_size);
    auto last = logits.last(at(config.vocab_size));
    out_.tensors["last_logits"] = {{config.vocab_size}, {last.begin(), last.end()}, {}, {}};
    generate(steps, last, *cache, pages);
  }

  void generate(int64_t steps, std::span<const float> last, KvCache& cache, const std::vector<int32_t>& pages) {
    const auto tokens = static_cast<int64_t>(out_.prompt.token_ids.size());
    for (int64_t step = 0; step < steps; ++step) {
      out_.steps.emplace_back(last.begin(), last.end());
      const auto best = static_cast<int32_t>(std::max_element(last.begin(), last.end()) - last.begin());
      out_.generated.push_back(best);
      if (step + 1 == steps) break;
      const auto position = static_cast<int32_t>(tokens + step + out_.prompt.rope_delta);
      Batch batch;
      batch.token_ids = {options_.forced.empty() ? best : options_.forced[at(step)]};
      batch.positions = {position, position, position};
      batch.sequences = {{.row_begin = 0, .rows = 1, .past = tokens + step, .pages = pages}};
      batch.logit_rows = {0};
      last = model_.model->language.forward(batch, cache);
    }
  }

  LoadedModel& model_;
  const LocalRequest& request_;
  const TraceOptions& options_;
  RequestTrace out_;
  std::map<const LocalVisual*, VisionFeatures> features_;
  std::map<std::string, int> resized_count_;
};

}  // namespace

RequestTrace trace_request(LoadedModel& model, const LocalRequest& request, const TraceOptions& options) {
  return Tracer(model, request, options).run();
}

void write_trace(const RequestTrace& trace, const std::filesystem::path& file) {
  std::vector<NamedTensor> tensors;
  const auto add = [&](const std::string& name, const void* data, DType dtype, const Shape& shape) {
    tensors.push_back({name, {static_cast<const std::byte*>(data), dtype, shape}});
  };
  for (const auto& [name, t] : trace.tensors) {
    if (!t.floats.empty()) {
      add(name, t.floats.data(), DType::kF32, t.shape);
    } else if (!t.ints.empty()) {
      add(name, t.ints.data(), DType::kI32, t.shape);
    } else {
      add(name, t.bytes.data(), DType::kU8, t.shape);
    }
  }
  const auto& ids = trace.prompt.token_ids;
  add("input_ids", ids.data(), DType::kI32, {static_cast<int64_t>(ids.size())});
  if (!trace.generated.empty()) {
    add("generated_ids", trace.generated.data(), DType::kI32, {static_cast<int64_t>(trace.generated.size())});
  }
  write_safetensors(file, tensors);
}

}  // namespace qvl
