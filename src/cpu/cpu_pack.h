// Matrices of a checkpoint into the CPU backend's own. The pool's caller only.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/compensation.h"
#include "cpu/cpu_linear.h"

namespace qvl::cpu {

class MatrixPacker {
 public:
  MatrixPacker(ThreadPool& pool, Precision precision) : pool_(pool), precision_(precision) {}

  // Backend::pack_linear. Plain: bfloat16 where the parts are, or the precision is, else float32. Moments count for int4 alone.
  // Errors: kModel "model_not_finite" where the format is quantised and a weight is NaN or infinite.
  std::unique_ptr<Linear> pack(std::span<const ConstTensorView> parts, std::span<const float> bias,
                               WeightFormat format, const InputMoments* moments = nullptr);
  size_t bytes(int64_t out, int64_t in, WeightFormat format, DType stored) const {
    return matrix_bytes(out, in, panel_format(stored == DType::kBF16, format));
  }
  // Backend::adopt_linear
  static std::unique_ptr<Linear> adopt(int64_t out, int64_t in, uint32_t layout, Buffer bytes,
                                       std::span<const float> bias);
  // Backend::make_linear: whole blocks only, else null.
  std::unique_ptr<Linear> make(int64_t out, int64_t in, WeightFormat format, uint64_t seed);

 private:
  PanelFormat panel_format(bool stored_in_bf16, WeightFormat format) const;
  void pack_plain(std::span<const ConstTensorView> parts, CpuLinear& to);
  std::vector<BlockCompensation> compensation(const InputMoments* moments);
  const Buffer& made_panel(QuantFormat format);
  std::unique_ptr<Linear> make_halves(int64_t out, int64_t in, uint64_t seed);

  ThreadPool& pool_;
  const Precision precision_;
  BufferArena arena_;
  Buffer made_[2];  // a panel of made values in each quantised format
};

// Changes with every change of a panel format's bytes: files that were kept under another name are not read.
inline constexpr const char* kPanelLayouts = "panels16-2";

}  // namespace qvl::cpu
