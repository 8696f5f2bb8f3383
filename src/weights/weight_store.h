// Tensors of a checkpoint by name. A model takes each tensor exactly once; what is missing, misshapen or left over is
// named. Names are normalised when a store opens: "model.language_model...", "model.visual...", "lm_head.weight"
// (spec 2.1). Used by one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace qvl {

struct TensorInfo {
  DType dtype = DType::kF32;
  Shape shape;
};

class WeightStore {
 public:
  virtual ~WeightStore() = default;

  virtual std::vector<std::string> names() const = 0;  // all, in file order
  virtual bool has(const std::string& name) const = 0;
  // The tensor, with its shape as stored; valid until release(name). Does not count as taking it. Aligned to its
  // element size. Block-scaled FP8 weights come dequantised as F32; separate q, k, v of the vision tower come as one
  // "attn.qkv". Errors: kModel "model_tensor_missing".
  virtual ConstTensorView view(const std::string& name) = 0;
  // The caller has copied or packed the tensor: its pages may go.
  virtual void release(const std::string& name) = 0;
  // The same for `bytes` of it from `offset` on; the rest stays valid.
  virtual void release_part(const std::string& /*name*/, size_t /*offset*/, size_t /*bytes*/) {}
  // What view(name) would have, without reading or assembling the tensor.
  virtual TensorInfo info(const std::string& name);
  // Of a store whose values are made up: what they depend on, so that others can be made instead. Any name.
  virtual std::optional<uint64_t> made_seed(const std::string& /*name*/) const { return std::nullopt; }

  // The tensor with this shape; marks it as consumed. Errors: kModel "model_tensor_missing", "model_shape" (expected
  // and found), and a failed check when it is taken twice.
  ConstTensorView take(const std::string& name, const Shape& shape);
  std::vector<float> take_floats(const std::string& name, const Shape& shape);  // converted; released
  void take_unread(const std::string& name, const Shape& shape);  // the same checks, but its values are not needed
  void mark_taken(const std::string& name);
  std::vector<std::string> not_taken() const;
  void start_over() { taken_.clear(); }  // nothing counts as taken

 private:
  std::set<std::string> taken_;
};

// model.safetensors or the shards of model.safetensors.index.json in a folder, memory-mapped; or a single .safetensors
// file. Errors: kModel with "model_file_missing", "model_truncated", "model_header", "model_shape", "model_dtype",
// "model_offsets", "model_path".
std::unique_ptr<WeightStore> open_safetensors(const std::filesystem::path& folder_or_file);

// "a, b, c and 7 more": the first `limit` names.
std::string name_list(const std::vector<std::string>& names, size_t limit = 5);

}  // namespace qvl
