#include "cpu/cpu_pack.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "base/check.h"
#include "cpu/quantise.h"

namespace qvl::cpu {
namespace {

constexpr int64_t kMadeBlocks =
    251;  // of the panel that made matrices repeat; a prime, so that rows start at different places

// splitmix64
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

}  // namespace

PanelFormat MatrixPacker::panel_format(bool stored_in_bf16, WeightFormat format) const {
  if (format == WeightFormat::kInt4) return PanelFormat::kInt4;
  if (format == WeightFormat::kInt8) return PanelFormat::kInt8;
  if (format == WeightFormat::kInt8Halves) return PanelFormat::kHalves;
  return stored_in_bf16 || precision_ == Precision::kBFloat16 ? PanelFormat::kBFloat16 : PanelFormat::kFloat32;
}

void MatrixPacker::pack_plain(std::span<const ConstTensorView> parts, CpuLinear& to) {
  const bool bf16 = to.bf16();
  int64_t first = 0;
  for (const auto& part : parts) {
    pool_.parallel_for(part.shape[0], 64, [&](int64_t begin, int64_t end, int) {
      pack_rows(part, first, begin, end, bf16, to.panels.data());
    });
    first += part.shape[0];
  }
}

std::vector<BlockCompensation> MatrixPacker::compensation(const InputMoments* moments) {
  std::vector<BlockCompensation> out(moments != nullptr ? static_cast<size_t>(moments->blocks()) : 0);
  pool_.parallel_for(static_cast<int64_t>(out.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) out[static_cast<size_t>(block)] = make_compensation(*moments, block);
  });
  return out;
}

std::unique_ptr<Linear> MatrixPacker::pack(std::span<const ConstTensorView> parts, std::span<const float> bias,
                                           WeightFormat format, const InputMoments* moments) {
  const int64_t in = parts[0].shape[1];
  int64_t out = 0;
  for (const auto& part : parts) {
    QVL_CHECK(part.shape.size() == 2 && part.shape[1] == in, "parts of {} inputs and of shape {}", in,
              to_string(part.shape));
    out += part.shape[0];
  }
  const bool in_bf16 = std::all_of(parts.begin(), parts.end(), [](const auto& p) { return p.dtype == DType::kBF16; });
  const PanelFormat panels = panel_format(in_bf16, format);
  auto linear = std::make_unique<CpuLinear>(out, in, panels, arena_.allocate(matrix_bytes(out, in, panels)));
  linear->bias.assign(bias.begin(), bias.end());
  if (panels == PanelFormat::kHalves) {
    QVL_CHECK(bias.empty(), "a matrix in halves has no bias");
    pool_.parallel_for(panel_count(out), 1, [&](int64_t begin, int64_t end, int) {
      quantise_halves(parts, begin, end, linear->panels.data(), linear->panels.data() + high_bytes(out, in));
    });
    return linear;
  }
  if (!is_quantised(panels)) {
    pack_plain(parts, *linear);  // outputs that do not exist are the arena's zeros
    return linear;
  }
  QVL_CHECK(moments == nullptr || moments->inputs() == in, "moments of {} inputs for a matrix of {}", moments->inputs(), in);
  const auto by = compensation(panels == PanelFormat::kInt4 ? moments : nullptr);
  pool_.parallel_for(panel_count(out), 1, [&](int64_t begin, int64_t end, int) {
    quantise_panels(parts, quant_format(panels), begin, end, linear->panels.data(), by);
  });
  return linear;
}

std::unique_ptr<Linear> MatrixPacker::adopt(int64_t out, int64_t in, uint32_t layout, Buffer bytes,
                                            std::span<const float> bias) {
  if (layout > static_cast<uint32_t>(PanelFormat::kHalves)) return nullptr;
  const auto format = static_cast<PanelFormat>(layout);
  if (bytes.size() != matrix_bytes(out, in, format)) return nullptr;
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != out) return nullptr;
  auto linear = std::make_unique<CpuLinear>(out, in, format, std::move(bytes));
  linear->bias.assign(bias.begin(), bias.end());
  return linear;
}

const Buffer& MatrixPacker::made_panel(QuantFormat format) {
  Buffer& panel = made_[static_cast<int>(format)];
  if (panel.size() != 0) return panel;
  constexpr int64_t kInputs = kMadeBlocks * kBlockInputs;
  std::vector<float> values(static_cast<size_t>(kPanel * kInputs));
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 0.02f);
  for (float& x : values) x = normal(rng);
  const ConstTensorView rows{reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {kPanel, kInputs}};
  panel = Buffer(quant_panel_bytes(kInputs, format));
  quantise_panels({&rows, 1}, format, 0, 1, panel.data());
  return panel;
}

std::unique_ptr<Linear> MatrixPacker::make(int64_t out, int64_t in, WeightFormat format, uint64_t seed) {
  if (format == WeightFormat::kPlain || out % kPanel != 0 || in % kBlockInputs != 0) return nullptr;
  const PanelFormat panels = panel_format(true, format);
  if (panels == PanelFormat::kHalves) return make_halves(out, in, seed);
  auto linear = std::make_unique<CpuLinear>(out, in, panels, arena_.allocate(matrix_bytes(out, in, panels)));
  const Buffer& made = made_panel(quant_format(panels));
  const size_t unit = block_bytes(quant_format(panels));
  const int64_t blocks = block_count(in);
  pool_.parallel_for(panel_count(out), 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      std::byte* to = linear->panels.data() + static_cast<size_t>(panel * blocks) * unit;
      auto from = static_cast<int64_t>(mix(seed + static_cast<uint64_t>(panel)) % kMadeBlocks);
      for (int64_t left = blocks; left > 0;) {
        const int64_t count = std::min(left, kMadeBlocks - from);
        std::memcpy(to, made.data() + static_cast<size_t>(from) * unit, static_cast<size_t>(count) * unit);
        to += static_cast<size_t>(count) * unit;
        left -= count;
        from = 0;
      }
    }
  });
  return linear;
}

// Panels of some made rows, over and over: enough of them that the best stand out as much as a vocabulary's do.
std::unique_ptr<Linear> MatrixPacker::make_halves(int64_t out, int64_t in, uint64_t seed) {
  constexpr int64_t kMadePanels = 509;
  const int64_t made = std::min(panel_count(out), kMadePanels) * kPanel;
  std::vector<float> values(static_cast<size_t>(made * in));
  std::mt19937 rng(static_cast<uint32_t>(seed));
  std::normal_distribution<float> normal(0, 0.02f);
  for (float& x : values) x = normal(rng);
  const ConstTensorView rows{reinterpret_cast<const std::byte*>(values.data()), DType::kF32, {made, in}};
  const auto few = pack({&rows, 1}, {}, WeightFormat::kInt8Halves);
  auto linear = std::make_unique<CpuLinear>(out, in, PanelFormat::kHalves, arena_.allocate(matrix_bytes(out, in, PanelFormat::kHalves)));
  const auto& from = cast(*few);
  const size_t upper = high_bytes(kPanel, in), lower = static_cast<size_t>(kPanel * low_row_bytes(in));
  pool_.parallel_for(panel_count(out), 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      const auto to = static_cast<size_t>(panel), source = mix(seed + to) % static_cast<size_t>(made / kPanel);
      std::memcpy(linear->panels.data() + to * upper, from.panels.data() + source * upper, upper);
      std::memcpy(linear->panels.data() + high_bytes(out, in) + to * lower, from.lower_halves() + source * lower, lower);
    }
  });
  return linear;
}

}  // namespace qvl::cpu
