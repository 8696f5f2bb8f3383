#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "model/language_model.h"

namespace qvl {

MropeTable::MropeTable(const TextConfig& config) {
  const RopeConfig& rope = config.rope;
  const int half = config.head_dim / 2;
  // YaRN's ramp between the slots that keep their frequency and those divided by the factor (spec 1.7).
  const auto slot_of = [&](double rotations) {
    return config.head_dim * std::log(static_cast<double>(rope.original_max_position_embeddings) / (rotations * 2 * M_PI)) /
           (2 * std::log(rope.rope_theta));
  };
  double low = 0, high = 0;
  if (rope.yarn) {
    low = std::max(std::floor(slot_of(rope.beta_fast)), 0.0);
    high = std::min(std::ceil(slot_of(rope.beta_slow)), config.head_dim - 1.0);
    if (low == high) high += 0.001;
    attention_factor_ = static_cast<float>(rope.attention_factor.value_or(0.1 * std::log(rope.factor) + 1));
  }
  for (int k = 0; k < half; ++k) {
    const double frequency = 1.0 / std::pow(rope.rope_theta, 2.0 * k / config.head_dim);
    const double ramp = rope.yarn ? std::clamp((k - low) / (high - low), 0.0, 1.0) : 0.0;
    inv_freq_.push_back(static_cast<float>(frequency * (1 - ramp) + frequency / rope.factor * ramp));
    const int axis = k % 3;
    axis_.push_back(axis != 0 && k < 3 * rope.mrope_section[static_cast<size_t>(axis)] ? axis : 0);
  }
}

void MropeTable::fill(std::span<const int32_t> positions, std::vector<float>& cos, std::vector<float>& sin) const {
  QVL_CHECK(positions.size() % 3 == 0);
  const size_t rows = positions.size() / 3, half = inv_freq_.size();
  cos.resize(rows * half);
  sin.resize(rows * half);
  for (size_t r = 0; r < rows; ++r) {
    for (size_t k = 0; k < half; ++k) {
      // The reference's angle is a float32 product; its cosine is then taken of that float32.
      const float angle = static_cast<float>(positions[static_cast<size_t>(axis_[k]) * rows + r]) * inv_freq_[k];
      cos[r * half + k] = std::cos(angle) * attention_factor_;
      sin[r * half + k] = std::sin(angle) * attention_factor_;
    }
  }
}

}  // namespace qvl
