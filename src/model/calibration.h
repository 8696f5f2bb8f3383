// What the inputs of a model's int4 matrices were while it read some prompts: recorded by running the model on a backend that looks on, and used
// when the weights are quantised again. One thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "model/weight_loader.h"
#include "ops/ops.h"

namespace qvl {

// Changes with everything that calibrated weights depend on beside the plan: the prompts and the way of rounding.
inline constexpr const char* kCalibrationVersion = "calibrated-1";

// Where a model's own pictures and questions for this are, the first of "calibration" and "samples" in its folder that holds an index.json; empty where
// neither does.
std::filesystem::path calibration_folder(const std::filesystem::path& model_folder);

class Calibration {
 public:
  // name: of the matrix's first tensor. Null where nothing was recorded.
  const InputMoments* find(const std::string& name) const;
  InputMoments& of(const std::string& name, int64_t inputs);
  size_t bytes() const;

 private:
  std::map<std::string, InputMoments> moments_;
};

// Another backend that looks on: what linear() and linear_add() put into the int4 matrices that it was told of as a PackedSink goes into a Calibration.
// Experts are left out: each sees few rows, and there are too many of them to keep sums for.
class RecordingBackend final : public Backend, public PackedSink {
 public:
  // Both must outlive this.
  RecordingBackend(Backend& backend, Calibration& calibration);
  ~RecordingBackend() override;

  void linear(const std::string& name, const Linear& matrix) override;
  void floats(const std::string&, std::span<const float>) override {}

  Ops& ops() override;
  Precision precision() const override { return backend_.precision(); }
  std::string description() const override { return backend_.description(); }
  std::unique_ptr<Linear> pack_linear(std::span<const ConstTensorView> parts, std::span<const float> bias, WeightFormat format,
                                      const InputMoments* moments) override {
    return backend_.pack_linear(parts, bias, format, moments);
  }
  std::unique_ptr<KvCache> make_kv_cache(int layers, int num_kv_heads, int head_dim, int pages, KvFormat format) override {
    return backend_.make_kv_cache(layers, num_kv_heads, head_dim, pages, format);
  }
  size_t kv_page_bytes(int layers, int num_kv_heads, int head_dim, KvFormat format) const override {
    return backend_.kv_page_bytes(layers, num_kv_heads, head_dim, format);
  }

 private:
  class Recorder;
  Backend& backend_;
  std::unique_ptr<Recorder> recorder_;
};

}  // namespace qvl
