// A model's tensors, packed for its backend: from the checkpoint, or from bytes that an earlier start kept. One thread.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/weight_plan.h"
#include "ops/ops.h"
#include "weights/weight_store.h"

namespace qvl {

class Calibration;

// The code of the error where a PackedSource lacks what the model needs.
inline constexpr const char* kPackedIncomplete = "packed_file_incomplete";

// Matrices and vectors by name, kept by an earlier start.
class PackedSource {
 public:
  virtual ~PackedSource() = default;
  // Null, or an empty vector: not there, or not what is asked for.
  virtual std::unique_ptr<Linear> linear(Backend& backend, const std::string& name, int64_t out, int64_t in) = 0;
  virtual std::vector<float> floats(const std::string& name, int64_t count) = 0;
};

// Takes what was packed, to keep it. Must not throw: keeping may fail without harm.
class PackedSink {
 public:
  virtual ~PackedSink() = default;
  virtual void linear(const std::string& name, const Linear& matrix) = 0;
  virtual void floats(const std::string& name, std::span<const float> values) = 0;
};

class WeightLoader {
 public:
  struct Options {
    Quantize quantize = Quantize::kNone;
    PackedSource* source = nullptr;  // holds everything, or is not used
    PackedSink* sink = nullptr;
    const Calibration* calibration = nullptr;  // of a model of these weights
    std::function<void(int64_t parameters)> progress;  // parameters loaded so far
  };
  // All must outlive this.
  WeightLoader(Backend& backend, WeightStore& store, Options options)
      : backend_(backend), store_(store), options_(std::move(options)) {}
  WeightLoader(Backend& backend, WeightStore& store) : WeightLoader(backend, store, Options()) {}

  Backend& backend() { return backend_; }
  WeightStore& store() { return store_; }
  // How the matrix of this name is stored.
  WeightFormat format(std::string_view name) const { return weight_format(options_.quantize, name); }

  // The tensor as floats. Errors: kModel "model_tensor_missing", "model_shape".
  std::vector<float> floats(const std::string& name, const Shape& shape);
  // Matrices [outs[i], in] stacked along their outputs, as one; bias: the name of its tensor, or empty. A tensor of
  // more dimensions, `shape`, counts as its memory order says. Errors: as above; "model_not_finite" where it cannot be
  // quantised.
  std::unique_ptr<Linear> stacked(const std::vector<std::string>& names, const std::vector<int64_t>& outs, int64_t in,
                                  const std::string& bias = "", const Shape& shape = {});
  std::unique_ptr<Linear> linear(const std::string& name, int64_t out, int64_t in, const std::string& bias = "") {
    return stacked({name}, {out}, in, bias);
  }
  // prefix: "model.language_model.layers.3.mlp.experts"
  PackedExperts experts(const std::string& prefix, int num_experts, int64_t hidden, int64_t inner);
  // A tensor that is not used.
  void skip(const std::string& name, const Shape& shape);

 private:
  std::unique_ptr<Linear> pack(const std::string& name, std::span<const ConstTensorView> parts,
                               std::span<const float> bias);
  std::unique_ptr<Linear> made(const std::string& name, int64_t out, int64_t in);
  std::unique_ptr<Linear> kept(const std::string& name, int64_t out, int64_t in);
  PackedExperts made_experts(const std::string& prefix, int num_experts, int64_t hidden, int64_t inner);
  void count(int64_t parameters);

  Backend& backend_;
  WeightStore& store_;
  const Options options_;
  int64_t parameters_ = 0;
};

}  // namespace qvl
