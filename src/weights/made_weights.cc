#include "weights/made_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <string_view>
#include <unordered_map>

#include "base/check.h"
#include "base/error.h"

namespace qvl {
namespace {

// A prime, so that rows of any usual width start at different places of the stretch.
constexpr size_t kStretch = 1048573;

uint64_t mix(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

uint64_t hash_of(std::string_view name, uint64_t seed) {
  for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
  return seed;
}

std::vector<BF16> normal_stretch(uint64_t seed) {
  std::vector<BF16> values(kStretch);
  for (size_t i = 0; i < kStretch; ++i) {
    const uint64_t bits = mix(seed + i);
    const double u = (static_cast<double>(bits >> 32) + 0.5) * 0x1p-32,
                 v = static_cast<double>(bits & 0xffffffffu) * 0x1p-32;
    values[i] = to_bf16(static_cast<float>(0.02 * std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v)));
  }
  return values;
}

class MadeWeights final : public WeightStore {
 public:
  MadeWeights(std::vector<std::pair<std::string, Shape>> tensors, uint64_t seed)
      : tensors_(std::move(tensors)), seed_(seed) {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      QVL_CHECK(index_.emplace(tensors_[i].first, i).second, "two made tensors {}", tensors_[i].first);
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, shape] : tensors_) out.push_back(name);
    return out;
  }

  bool has(const std::string& name) const override { return index_.contains(name); }
  TensorInfo info(const std::string& name) override { return {DType::kBF16, shape_of(name)}; }

  ConstTensorView view(const std::string& name) override {
    ConstTensorView tensor{nullptr, DType::kBF16, shape_of(name)};
    const auto [held, is_new] = held_.try_emplace(name);
    if (is_new) {
      held->second = Buffer(tensor.bytes());
      fill(name, held->second.as<BF16>(), static_cast<size_t>(tensor.elements()));
    }
    tensor.data = held->second.data();
    return tensor;
  }

  void release(const std::string& name) override { held_.erase(name); }

  std::optional<uint64_t> made_seed(const std::string& name) const override { return hash_of(name, seed_); }

 private:
  const Shape& shape_of(const std::string& name) const {
    const auto it = index_.find(name);
    if (it == index_.end()) {
      throw_error(ErrorKind::kModel, "model_tensor_missing", "the model's files do not hold the tensor {}",
                  printable(name));
    }
    return tensors_[it->second].second;
  }

  void fill(const std::string& name, BF16* out, size_t count) {
    if (name.ends_with(".weight") && name.find("norm") != std::string::npos) {
      std::fill_n(out, count, to_bf16(1));
    } else if (name.ends_with(".bias")) {
      std::fill_n(out, count, to_bf16(0));
    } else {
      if (stretch_.empty()) stretch_ = normal_stretch(mix(seed_));
      size_t from = hash_of(name, seed_) % kStretch;
      for (size_t done = 0; done < count;) {
        const size_t n = std::min(count - done, kStretch - from);
        std::memcpy(out + done, stretch_.data() + from, n * sizeof(BF16));
        done += n;
        from = 0;
      }
    }
  }

  std::vector<std::pair<std::string, Shape>> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::unordered_map<std::string, Buffer> held_;
  uint64_t seed_;
  std::vector<BF16> stretch_;  // made when first needed
};

}  // namespace

std::unique_ptr<WeightStore> made_weights(std::vector<std::pair<std::string, Shape>> tensors, uint64_t seed) {
  return std::make_unique<MadeWeights>(std::move(tensors), seed);
}

}  // namespace qvl
