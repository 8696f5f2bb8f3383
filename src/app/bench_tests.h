// The tests of `qwen3vl bench` on a loaded model. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/bench_sequences.h"
#include "app/bench_work.h"
#include "app/commands.h"
#include "model/model.h"

namespace qvl {

struct BenchModel {
  ModelConfig config;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
  double load_seconds = 0;
};

// A folder or a name as elsewhere, or made:NAME: made weights in the true shapes of NAME.
// Errors: those of find_model() and of the model's files; kBadFlag for an unknown made model.
BenchModel load_bench_model(const ModelFlags& flags);

struct PictureSize {
  int width, height;
};

// BenchFlags with its lists read. Errors: kBadFlag "bad_flag".
struct BenchPlan {
  explicit BenchPlan(const BenchFlags& flags);
  bool wants(const std::string& test) const;

  std::vector<int64_t> prompts, generated, batches, depths;
  std::vector<PictureSize> pictures;
  std::vector<std::string> tests;
  int64_t chunk, reps;
};

struct BenchRow {
  std::string test;      // decode, prefill, image, ttft
  int64_t tokens = 0;    // of one sequence; image: the picture's
  int64_t batch = 1, depth = 0;
  std::string picture;   // "1024x768"
  double seconds = 0;    // of the best run
  double bytes = 0;      // read at least
  double macs = 0;       // needed
  bool vision = false;   // the arithmetic is mostly the tower's
  double tokens_per_second() const { return static_cast<double>(tokens * batch) / seconds; }
};

class BenchTests {
 public:
  BenchTests(BenchModel& model, const BenchPlan& plan);
  std::vector<BenchRow> run();

 private:
  void decode(int64_t tokens, int batch, int64_t depth);
  void prefill(int64_t tokens, int64_t depth);
  void picture(PictureSize size);
  void add(BenchRow row);

  BenchModel& model_;
  const BenchPlan& plan_;
  const ModelWork work_;
  std::vector<BenchRow> rows_;
};

}  // namespace qvl
