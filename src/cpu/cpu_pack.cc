#include "cpu/cpu_pack.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "cpu/quantise.h"

namespace qvl::cpu {
namespace {

PanelFormat panel_format(Precision precision, std::span<const ConstTensorView> parts, WeightFormat format) {
  if (format == WeightFormat::kInt4) return PanelFormat::kInt4;
  if (format == WeightFormat::kInt8) return PanelFormat::kInt8;
  const bool exact_in_bf16 =
      std::all_of(parts.begin(), parts.end(), [](const auto& p) { return p.dtype == DType::kBF16; });
  return exact_in_bf16 || precision == Precision::kBFloat16 ? PanelFormat::kBFloat16 : PanelFormat::kFloat32;
}

void pack_plain(ThreadPool& pool, std::span<const ConstTensorView> parts, CpuLinear& to) {
  const bool bf16 = to.bf16();
  const size_t used = static_cast<size_t>(to.out_features / kPanel) * panel_bytes(to.in_features, bf16);
  std::memset(to.panels.data() + used, 0, to.panels.size() - used);  // outputs that do not exist
  int64_t first = 0;
  for (const auto& part : parts) {
    pool.parallel_for(part.shape[0], 64, [&](int64_t begin, int64_t end, int) {
      pack_rows(part, first, begin, end, bf16, to.panels.data());
    });
    first += part.shape[0];
  }
}

}  // namespace

std::unique_ptr<CpuLinear> pack_matrix(ThreadPool& pool, Precision precision, std::span<const ConstTensorView> parts,
                                       std::span<const float> bias, WeightFormat format) {
  const int64_t in = parts[0].shape[1];
  int64_t out = 0;
  for (const auto& part : parts) {
    QVL_CHECK(part.shape.size() == 2 && part.shape[1] == in, "parts of {} and {} inputs", in, to_string(part.shape));
    out += part.shape[0];
  }
  auto linear = std::make_unique<CpuLinear>(out, in, panel_format(precision, parts, format));
  linear->bias.assign(bias.begin(), bias.end());
  if (!is_quantised(linear->format)) {
    pack_plain(pool, parts, *linear);
  } else {
    pool.parallel_for(panel_count(out), 1, [&](int64_t begin, int64_t end, int) {
      quantise_panels(parts, quant_format(linear->format), begin, end, linear->panels.data());
    });
  }
  return linear;
}

}  // namespace qvl::cpu
