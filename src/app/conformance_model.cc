// Families of the reference data about positions, the vision tower's grid and sampling.
#include <algorithm>
#include <cmath>
#include <limits>

#include "app/conformance.h"
#include "base/hash.h"
#include "engine/sampler.h"
#include "model/rope_positions.h"
#include "model/vision_tower.h"
#include "weights/weight_store.h"

namespace qvl {
namespace {

// Visual runs of a synthetic layout: ["text", n], ["image", h, w], ["video", t, h, w, stamp tokens], grids in patches.
std::vector<VisualRun> layout(const Json& spec, int64_t& tokens) {
  std::vector<VisualRun> runs;
  for (const auto& item : spec) {
    if (item[0] == "text") {
      tokens += item[1].get<int64_t>();
      continue;
    }
    const bool video = item[0] == "video";
    const int groups = video ? item[1].get<int>() : 1, stamp = video ? item[4].get<int>() : 0;
    const int rows = item[video ? 2 : 1].get<int>() / 2, columns = item[video ? 3 : 2].get<int>() / 2;
    for (int g = 0; g < groups; ++g) {
      tokens += stamp + 1;  // vision_start
      runs.push_back({tokens, rows, columns});
      tokens += int64_t{rows} * columns + 1;
    }
  }
  return runs;
}

void positions(const ConformanceOptions& options, FamilyReport& report) {
  for (const auto& row : read_json_lines(options.folder / "positions/rope_index.jsonl")) {
    int64_t tokens = 0;
    const auto runs = layout(row["spec"], tokens);
    const auto got = rope_positions(tokens, runs);
    bool ok = tokens == row["seq_len"].get<int64_t>() && got.rope_delta == row["rope_delta"].get<int>() &&
              hex(sha256(std::as_bytes(std::span(got.ids)))) == row["sha256_int32_3xN"].get<std::string>();
    report.expect(ok, fmt::format("#{}", row["n"].get<int>()));
  }
}

// "t1h16w24" -> 16, 24
std::pair<int, int> grid_of(const std::string& name) {
  const size_t h = name.find('h'), w = name.find('w');
  return {std::stoi(name.substr(h + 1)), std::stoi(name.substr(w + 1))};
}

void vision_grid(const ConformanceOptions& options, FamilyReport& report) {
  const auto store = open_safetensors(options.folder / "positions/vision_grid.safetensors");
  for (const auto& name : store->names()) {
    const auto view = store->view(name);
    const std::string grid = name.rfind("side", 0) == 0 ? name.substr(name.find('.') + 1) : name;
    const auto [h, w] = grid_of(grid);
    const auto order = patch_order(h, w, 2);
    if (name.ends_with(".row_col")) {
      bool ok = static_cast<size_t>(view.shape[0]) % order.size() == 0;
      for (int64_t i = 0; ok && i < view.shape[0]; ++i) {
        const auto& want = order[static_cast<size_t>(i) % order.size()];
        ok = view.as<int32_t>()[2 * i] == want[0] && view.as<int32_t>()[2 * i + 1] == want[1];
      }
      report.expect(ok, name);
      continue;
    }
    // Indices and weights are per cell of one frame, in the order that patch_order gives or raster order repeated.
    const int side = std::stoi(name.substr(4));
    const PositionAxis rows = position_axis(side, h), columns = position_axis(side, w);
    bool ok = true;
    const int64_t cells = view.shape[1];
    for (int64_t i = 0; ok && i < cells; ++i) {
      const auto& cell = order[static_cast<size_t>(i) % order.size()];
      const auto r = static_cast<size_t>(cell[0]), c = static_cast<size_t>(cell[1]);
      const int index[4] = {rows.low[r] * side + columns.low[c], rows.low[r] * side + columns.high[c],
                            rows.high[r] * side + columns.low[c], rows.high[r] * side + columns.high[c]};
      const float dr = rows.fraction[r], dc = columns.fraction[c];
      const float weight[4] = {(1 - dr) * (1 - dc), (1 - dr) * dc, dr * (1 - dc), dr * dc};
      for (int64_t k = 0; k < 4; ++k) {
        if (name.ends_with(".indices")) {
          ok = ok && view.as<int32_t>()[k * cells + i] == index[k];
        } else {
          const double error = std::abs(view.as<float>()[k * cells + i] - weight[k]);
          report.error(error);
          ok = ok && error < 1e-5;
        }
      }
    }
    report.expect(ok, name);
  }
}

void sampling(const ConformanceOptions& options, FamilyReport& report) {
  for (const auto& row : read_json_lines(options.folder / "sampling/vectors.jsonl")) {
    const Json& p = row["params"];
    SamplingParams params;
    params.temperature = p.value("temperature", 1.0f);
    params.top_k = p.value("top_k", 0);
    params.top_p = p.value("top_p", 1.0f);
    params.min_p = p.value("min_p", 0.0f);
    params.repetition_penalty = p.value("repetition_penalty", 1.0f);
    params.presence_penalty = p.value("presence_penalty", 0.0f);
    params.frequency_penalty = p.value("frequency_penalty", 0.0f);
    std::vector<float> logits;
    for (const auto& x : row["logits"]) logits.push_back(x.is_number() ? x.get<float>() : -std::numeric_limits<float>::infinity());
    Sampler sampler(params, row["prompt_ids"].get<std::vector<int32_t>>(), 0);
    for (const int32_t id : row["generated_ids"].get<std::vector<int32_t>>()) sampler.accept(id);
    std::vector<double> got(logits.size(), 0);
    size_t kept = 0;
    for (const auto& c : sampler.distribution(logits, {})) {
      got[static_cast<size_t>(c.id)] = c.probability;
      kept += c.probability > 0;
    }
    // Which of several equal logits a cut keeps is not specified: equal ones are compared as a set.
    std::vector<std::pair<float, double>> a, b;
    for (size_t i = 0; i < got.size(); ++i) {
      a.emplace_back(logits[i], got[i]);
      b.emplace_back(logits[i], row["probs"][i].get<double>());
    }
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    double worst = 0;
    for (size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i].second - b[i].second));
    report.error(worst);
    report.expect(worst < 1e-5 && kept == row["kept"].get<size_t>(), fmt::format("#{} {} error {:.2g} kept {} of {}", row["n"].get<int>(),
                                                                              row["kind"].get<std::string>(), worst, kept, row["kept"].get<size_t>()));
  }
}

}  // namespace

std::vector<Family> model_families() {
  return {{"positions", {"positions/rope_index.jsonl"}, positions},
          {"vision-grid", {"positions/vision_grid.safetensors"}, vision_grid},
          {"sampling", {"sampling/vectors.jsonl"}, sampling}};
}

}  // namespace qvl
