// The experts of one decoder layer, one at a time and in one orientation, from any of the layouts in circulation
// (spec 2.2):
//   fused, input-major    gate_up_proj [E, H, 2I], down_proj [E, I, H]        the published BF16 files
//   fused, output-major   gate_up_proj [E, 2I, H], down_proj [E, H, I]        files saved again by transformers 5.x
//   one tensor each       {e}.gate_proj.weight, {e}.up_proj.weight [I, H], {e}.down_proj.weight [H, I]    FP8 and
//   others
// E experts, H hidden_size, I moe_intermediate_size; of 2I the first half is gate. Used by one thread.
#pragma once

#include <string>
#include <vector>

#include "tensor/tensor.h"
#include "weights/weight_store.h"

namespace qvl {

// Row-major [out, in], in the type of the file (F32 where it was FP8).
struct ExpertWeights {
  ConstTensorView gate, up;  // [inner, hidden]
  ConstTensorView down;      // [hidden, inner]
};

class MoeExperts {
 public:
  // prefix: "model.language_model.layers.3.mlp.experts". Takes all of the layer's expert tensors; store must outlive
  // this. Errors: kModel "model_tensor_missing", "model_shape".
  MoeExperts(WeightStore& store, std::string prefix, int num_experts, int64_t hidden, int64_t inner);
  MoeExperts(const MoeExperts&) = delete;
  MoeExperts& operator=(const MoeExperts&) = delete;
  ~MoeExperts();  // releases the tensors

  // Valid until the next call; e of 0..num_experts-1, in any order.
  ExpertWeights expert(int e);

 private:
  void release_current();

  WeightStore& store_;
  std::string prefix_;
  int num_experts_;
  int64_t hidden_, inner_;
  bool fused_ = false, output_major_ = false;
  int current_ = -1;  // the expert whose tensors are in use
  Buffer gate_up_, down_;
};

// Names that a layer's experts lack, in the layout of which the store has something; the fused names where it has
// nothing.
std::vector<std::string> missing_expert_tensors(const WeightStore& store, const std::string& prefix, int num_experts);

// Errors: kModel "model_shape", "model_dtype". All the tensors are there.
void check_expert_tensors(WeightStore& store, const std::string& prefix, int num_experts, int64_t hidden,
                          int64_t inner);

}  // namespace qvl
