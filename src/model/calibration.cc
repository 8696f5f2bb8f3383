#include "model/calibration.h"

#include <unordered_map>

#include "ops/forwarding_ops.h"

namespace qvl {

std::filesystem::path calibration_folder(const std::filesystem::path& model_folder) {
  std::error_code ignored;
  for (const char* const name : {"calibration", "samples"}) {
    if (!model_folder.empty() && std::filesystem::is_regular_file(model_folder / name / "index.json", ignored)) return model_folder / name;
  }
  return {};
}

const InputMoments* Calibration::find(const std::string& name) const {
  const auto found = moments_.find(name);
  return found != moments_.end() ? &found->second : nullptr;
}

InputMoments& Calibration::of(const std::string& name, int64_t inputs) { return moments_.try_emplace(name, inputs).first->second; }

size_t Calibration::bytes() const {
  size_t bytes = 0;
  for (const auto& [name, moments] : moments_) bytes += moments.bytes();
  return bytes;
}

class RecordingBackend::Recorder final : public ForwardingOps {
 public:
  Recorder(Ops& ops, Calibration& calibration) : ForwardingOps(ops), calibration_(calibration) {}

  void watch(const std::string& name, const Linear& matrix) {
    if (weight_format(Quantize::kInt4, name) != WeightFormat::kInt4 || name.find(".mlp.experts.") != std::string::npos) return;
    watched_[&matrix] = &calibration_.of(name, matrix.in_features);
  }

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation, int64_t y_stride) override {
    record(w, x, rows);
    ForwardingOps::linear(w, x, rows, y, activation, y_stride);
  }
  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override {
    record(w, x, rows);
    ForwardingOps::linear_add(w, x, rows, y);
  }

 private:
  void record(const Linear& w, const float* x, int64_t rows) {
    if (const auto found = watched_.find(&w); found != watched_.end()) ops_.add_moments(x, rows, *found->second);
  }

  Calibration& calibration_;
  std::unordered_map<const Linear*, InputMoments*> watched_;
};

RecordingBackend::RecordingBackend(Backend& backend, Calibration& calibration)
    : backend_(backend), recorder_(std::make_unique<Recorder>(backend.ops(), calibration)) {}
RecordingBackend::~RecordingBackend() = default;
Ops& RecordingBackend::ops() { return *recorder_; }
void RecordingBackend::linear(const std::string& name, const Linear& matrix) { recorder_->watch(name, matrix); }

}  // namespace qvl
