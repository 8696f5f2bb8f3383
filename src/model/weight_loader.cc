#include "model/weight_loader.h"

#include <numeric>

#include "base/error.h"
#include "model/calibration.h"
#include "weights/moe_weights.h"

namespace qvl {
namespace {

int64_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string expert_name(const std::string& prefix, int expert, const char* part) {
  return fmt::format("{}.{}.{}", prefix, expert, part);
}

[[noreturn]] void not_kept(const std::string& name) {
  throw_error(ErrorKind::kInternal, kPackedIncomplete, "the packed file does not hold {}", printable(name));
}

}  // namespace

void WeightLoader::count(int64_t parameters) {
  parameters_ += parameters;
  if (options_.progress) options_.progress(parameters_);
}

std::vector<float> WeightLoader::floats(const std::string& name, const Shape& shape) {
  std::vector<float> values;
  if (options_.source != nullptr) {
    store_.take_unread(name, shape);
    values = options_.source->floats(name, elements(shape));
    if (values.empty()) not_kept(name);
  } else {
    values = store_.take_floats(name, shape);
    if (options_.sink != nullptr) options_.sink->floats(name, values);
  }
  count(elements(shape));
  return values;
}

void WeightLoader::skip(const std::string& name, const Shape& shape) { store_.take_unread(name, shape); }

std::unique_ptr<Linear> WeightLoader::kept(const std::string& name, int64_t out, int64_t in) {
  auto linear = options_.source->linear(backend_, name, out, in);
  if (linear == nullptr) not_kept(name);
  return linear;
}

std::unique_ptr<Linear> WeightLoader::made(const std::string& name, int64_t out, int64_t in) {
  const auto seed = store_.made_seed(name);
  return seed ? backend_.make_linear(out, in, weight_format(options_.quantize, name), *seed) : nullptr;
}

std::unique_ptr<Linear> WeightLoader::pack(const std::string& name, std::span<const ConstTensorView> parts,
                                           std::span<const float> bias) {
  try {
    const InputMoments* const moments = options_.calibration != nullptr ? options_.calibration->find(name) : nullptr;
    auto linear = backend_.pack_linear(parts, bias, weight_format(options_.quantize, name), moments);
    if (options_.sink != nullptr) options_.sink->linear(name, *linear);
    return linear;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::kModel) throw;
    throw Error(e.kind, e.code, fmt::format("tensor {}: {}", printable(name), e.what()));
  }
}

std::unique_ptr<Linear> WeightLoader::stacked(const std::vector<std::string>& names, const std::vector<int64_t>& outs,
                                              int64_t in, const std::string& bias, const Shape& shape) {
  const int64_t out = std::accumulate(outs.begin(), outs.end(), int64_t{0});
  const auto shape_of = [&](size_t i) { return shape.empty() ? Shape{outs[i], in} : shape; };
  std::unique_ptr<Linear> linear;
  if (options_.source != nullptr) {
    linear = kept(names[0], out, in);
  } else if (bias.empty()) {
    linear = made(names[0], out, in);
  }
  if (linear != nullptr) {
    for (size_t i = 0; i < names.size(); ++i) store_.take_unread(names[i], shape_of(i));
    if (!bias.empty()) store_.take_unread(bias, {out});
  } else {
    std::vector<float> bias_values;
    if (!bias.empty()) bias_values = store_.take_floats(bias, {out});
    std::vector<ConstTensorView> parts;
    for (size_t i = 0; i < names.size(); ++i) {
      parts.push_back(store_.take(names[i], shape_of(i)));
      parts.back().shape = {outs[i], in};
    }
    linear = pack(names[0], parts, bias_values);
    for (const auto& name : names) store_.release(name);
  }
  count(out * (in + (bias.empty() ? 0 : 1)));
  return linear;
}

PackedExperts WeightLoader::made_experts(const std::string& prefix, int num_experts, int64_t hidden, int64_t inner) {
  PackedExperts packed;
  const auto seed = store_.made_seed(prefix);
  const WeightFormat format = weight_format(options_.quantize, prefix + ".");
  for (int e = 0; seed && e < num_experts; ++e) {
    auto gate_up = backend_.make_linear(2 * inner, hidden, format, *seed + static_cast<uint64_t>(2 * e));
    auto down = backend_.make_linear(hidden, inner, format, *seed + static_cast<uint64_t>(2 * e + 1));
    if (gate_up == nullptr || down == nullptr) return {};
    packed.gate_up.push_back(std::move(gate_up));
    packed.down.push_back(std::move(down));
  }
  return packed;
}

PackedExperts WeightLoader::experts(const std::string& prefix, int num_experts, int64_t hidden, int64_t inner) {
  MoeExperts experts(store_, prefix, num_experts, hidden, inner);
  PackedExperts packed = made_experts(prefix, num_experts, hidden, inner);
  if (packed.down.empty()) {
    for (int e = 0; e < num_experts; ++e) {
      const std::string gate_up = expert_name(prefix, e, "gate_up"), down = expert_name(prefix, e, "down");
      if (options_.source != nullptr) {
        packed.gate_up.push_back(kept(gate_up, 2 * inner, hidden));
        packed.down.push_back(kept(down, hidden, inner));
        continue;
      }
      const ExpertWeights expert = experts.expert(e);
      const ConstTensorView parts[] = {expert.gate, expert.up};
      packed.gate_up.push_back(pack(gate_up, parts, {}));
      packed.down.push_back(pack(down, {&expert.down, 1}, {}));
    }
  }
  count(int64_t{num_experts} * 3 * hidden * inner);
  return packed;
}

}  // namespace qvl
