#include "model/calibration.h"

#include <unordered_map>

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

class RecordingBackend::Recorder final : public Ops {
 public:
  Recorder(Ops& ops, Calibration& calibration) : ops_(ops), calibration_(calibration) {}

  void watch(const std::string& name, const Linear& matrix) {
    if (weight_format(Quantize::kInt4, name) != WeightFormat::kInt4 || name.find(".mlp.experts.") != std::string::npos) return;
    watched_[&matrix] = &calibration_.of(name, matrix.in_features);
  }

  void linear(const Linear& w, const float* x, int64_t rows, float* y, Activation activation, int64_t y_stride) override {
    record(w, x, rows);
    ops_.linear(w, x, rows, y, activation, y_stride);
  }
  void linear_best(const Linear& w, const float* x, int64_t rows, float* y, std::span<const BestOf> best) override {
    ops_.linear_best(w, x, rows, y, best);
  }
  void linear_add(const Linear& w, const float* x, int64_t rows, float* y) override {
    record(w, x, rows);
    ops_.linear_add(w, x, rows, y);
  }
  void gather_rows(const Linear& table, std::span<const int32_t> ids, float* y) override { ops_.gather_rows(table, ids, y); }
  void rms_norm(const float* x, int64_t rows, int64_t width, const float* weight, float eps, float* y) override {
    ops_.rms_norm(x, rows, width, weight, eps, y);
  }
  void layer_norm(const float* x, int64_t rows, int64_t width, const float* weight, const float* bias, float eps, float* y) override {
    ops_.layer_norm(x, rows, width, weight, bias, eps, y);
  }
  void swiglu(const float* x, int64_t rows, int64_t inner, float* y) override { ops_.swiglu(x, rows, inner, y); }
  void add(const float* x, int64_t count, float* y) override { ops_.add(x, count, y); }
  void norm_rope(float* x, int64_t rows, int64_t row_stride, int heads, int dim, const float* weight, float eps, const float* cos,
                 const float* sin) override {
    ops_.norm_rope(x, rows, row_stride, heads, dim, weight, eps, cos, sin);
  }
  void kv_write(KvCache& cache, int layer, const float* k, const float* v, int64_t row_stride,
                std::span<const SequenceRows> sequences) override {
    ops_.kv_write(cache, layer, k, v, row_stride, sequences);
  }
  void paged_attention(const KvCache& cache, int layer, const float* q, int64_t row_stride, int heads, float scale,
                       std::span<const SequenceRows> sequences, float* out) override {
    ops_.paged_attention(cache, layer, q, row_stride, heads, scale, sequences, out);
  }
  void segment_attention(const float* qkv, int64_t rows, int64_t segment_rows, int heads, int dim, float scale, KvFormat format,
                         float* out) override {
    ops_.segment_attention(qkv, rows, segment_rows, heads, dim, scale, format, out);
  }
  void experts_add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights, int per_token,
                   float* y) override {
    ops_.experts_add(experts, x, rows, indices, weights, per_token, y);
  }

 private:
  void record(const Linear& w, const float* x, int64_t rows) {
    if (const auto found = watched_.find(&w); found != watched_.end()) ops_.add_moments(x, rows, *found->second);
  }

  Ops& ops_;
  Calibration& calibration_;
  std::unordered_map<const Linear*, InputMoments*> watched_;
};

RecordingBackend::RecordingBackend(Backend& backend, Calibration& calibration)
    : backend_(backend), recorder_(std::make_unique<Recorder>(backend.ops(), calibration)) {}
RecordingBackend::~RecordingBackend() = default;
Ops& RecordingBackend::ops() { return *recorder_; }
void RecordingBackend::linear(const std::string& name, const Linear& matrix) { recorder_->watch(name, matrix); }

}  // namespace qvl
