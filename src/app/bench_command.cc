// Times a model against what this machine can do at most, measured in the same run: prefill, decode, the vision tower, and a
// picture with a short question to the first token.
#include <algorithm>
#include <cstdio>

#include "app/bench_memory.h"
#include "app/bench_tests.h"
#include "app/commands.h"
#include "base/json.h"
#include "base/log.h"
#include "cpu/roofs.h"

namespace qvl {
namespace {

class BenchReport {
 public:
  BenchReport(const BenchFlags& flags, const BenchModel& model, std::vector<Roof> roofs, std::vector<BenchRow> rows, double peak_bytes)
      : flags_(flags), model_(model), roofs_(std::move(roofs)), rows_(std::move(rows)), peak_bytes_(peak_bytes) {
    const WeightBytes text = model.model->language.weight_bytes();
    const auto vision = static_cast<double>(model.model->vision.weight_bytes());
    const ModelWork work = model_work(model.config);
    weights_bytes_ = static_cast<double>(text.total) + vision;
    text_roof_ = arithmetic_of(static_cast<double>(text.total), work.text_weights);
    vision_roof_ = arithmetic_of(vision, work.vision_weights);
  }

  void print_table() const {
    std::printf("%s, %s, best of %lld\n", flags_.model.model.c_str(), model_.backend->description().c_str(),
                static_cast<long long>(flags_.reps));
    std::printf("weights %.0f MB, loaded in %.1f s, peak memory %.0f MB\n", weights_bytes_ / 1e6, model_.load_seconds,
                peak_bytes_ / 1e6);
    for (const Roof& roof : roofs_) {
      std::printf("  %-30s %9.1f %s\n", roof.name.c_str(), roof.rate / 1e9, roof.kind == RoofKind::kRead ? "GB/s" : "G operations/s");
    }
    std::printf("%-8s %8s %6s %7s %10s %12s %10s %8s %9s %8s\n", "test", "tokens", "batch", "depth", "picture", "ms", "tokens/s", "GB/s",
                "TFLOP/s", "of roof");
    for (const auto& row : rows_) {
      std::printf("%-8s %8lld %6lld %7lld %10s %12.1f %10.2f %8.1f %9.3f %7.1f%%\n", row.test.c_str(),
                  static_cast<long long>(row.tokens), static_cast<long long>(row.batch), static_cast<long long>(row.depth),
                  row.picture.empty() ? "-" : row.picture.c_str(), row.seconds * 1e3, row.tokens_per_second(), gbps(row), tflops(row),
                  100 * roof_share(row));
    }
  }

  void print_json() const {
    Json roofs = Json::array(), rows = Json::array();
    for (const Roof& roof : roofs_) {
      roofs.push_back({{"name", roof.name}, {roof.kind == RoofKind::kRead ? "gbps" : "gops", roof.rate / 1e9}});
    }
    for (const auto& row : rows_) {
      Json out = {{"test", row.test},           {"tokens", row.tokens},
                  {"batch", row.batch},         {"depth", row.depth},
                  {"tok_s", row.tokens_per_second()}, {"ms", row.seconds * 1e3},
                  {"gbps", gbps(row)},          {"tflops", tflops(row)},
                  {"roof_share", roof_share(row)}};
      if (!row.picture.empty()) out["image"] = row.picture;
      rows.push_back(std::move(out));
    }
    std::printf("%s\n", dump_json({{"model", flags_.model.model},
                                   {"backend", model_.backend->description()},
                                   {"best_of", flags_.reps},
                                   {"load_s", model_.load_seconds},
                                   {"read_roof_gbps", best_rate(roofs_, RoofKind::kRead) / 1e9},
                                   {"matrix_peak_tflops", best_rate(roofs_, text_roof_) / 1e12},
                                   {"weights_mb", weights_bytes_ / 1e6},
                                   {"peak_rss_mb", peak_bytes_ / 1e6},
                                   {"roofs", roofs},
                                   {"rows", rows}})
                            .c_str());
  }

 private:
  // int4 and int8 weights are multiplied as integers, larger ones as floating-point numbers.
  static RoofKind arithmetic_of(double bytes, double weights) { return bytes < 1.5 * weights ? RoofKind::kInt8 : RoofKind::kFloat; }

  static double gbps(const BenchRow& row) { return row.bytes / row.seconds / 1e9; }
  static double tflops(const BenchRow& row) { return 2 * row.macs / row.seconds / 1e12; }
  double roof_share(const BenchRow& row) const {
    if (row.test == "decode") return gbps(row) * 1e9 / best_rate(roofs_, RoofKind::kRead);
    const double peak = best_rate(roofs_, row.vision ? vision_roof_ : text_roof_);
    return peak > 0 ? tflops(row) * 1e12 / peak : 0;
  }

  const BenchFlags& flags_;
  const BenchModel& model_;
  std::vector<Roof> roofs_;
  std::vector<BenchRow> rows_;
  double weights_bytes_, peak_bytes_;
  RoofKind text_roof_, vision_roof_;
};

}  // namespace

int run_bench(const BenchFlags& flags) {
  const BenchPlan plan(flags);  // bad flags are told before anything slow
  log_info("measuring this machine's roofs");
  auto roofs = measure_roofs(flags.model.threads);
  const bool peak_is_models = reset_peak_resident_bytes();  // the roofs' memory is given back
  BenchModel model = load_bench_model(flags.model);
  log_info("loaded {} in {:.1f} s: {}", flags.model.model, model.load_seconds, model.backend->description());
  auto rows = BenchTests(model, plan).run();
  const double peak_bytes = peak_resident_bytes();
  if (!peak_is_models) log_warn("the peak memory may be that of measuring the roofs: the system does not let it be reset");
  roofs = better_roofs(std::move(roofs), measure_roofs(flags.model.threads));  // again: a noisy start would flatter the shares
  const BenchReport report(flags, model, std::move(roofs), std::move(rows), peak_bytes);
  flags.json ? report.print_json() : report.print_table();
  return 0;
}

}  // namespace qvl
