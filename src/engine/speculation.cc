#include "engine/speculation.h"

#include <algorithm>

namespace qvl {
namespace {

size_t at(int i) { return static_cast<size_t>(i); }

// A row more of an int4 model on two AVX2 cores; where rows are cheaper or dearer the first passes show it.
constexpr double kUsualSlope = 0.35;

constexpr double kForget = 0.95;       // of the counts at each new one: the last twenty matter
constexpr double kPriorWeight = 3;     // in observations
constexpr double kPrior[] = {0.3, 0.5, 0.7, 0.9};

}  // namespace

PassCost::PassCost(int64_t base_rows)
    : usual_slope_(kUsualSlope / (1 + kUsualSlope * static_cast<double>(base_rows - 1))), slope_(usual_slope_) {}

void PassCost::record(int extra, double ms) {
  if (extra == 0) {
    base_ms_ = known() ? base_ms_ + 0.5 * (std::min(ms, 2 * base_ms_) - base_ms_) : ms;  // follows the context's length
    slope_ += 0.002 * (usual_slope_ - slope_);  // where guesses looked too dear to be timed, they are tried again some day
    return;
  }
  if (!known() || extra >= kMostGuessRows) return;
  const double limit = 1 + (2 * slope_ + 0.1) * extra;
  const double ratio = std::clamp(ms / base_ms_, 1.0, limit);  // one hiccup must not end all guessing
  slope_ += 0.2 * ((ratio - 1) / extra - slope_);
  for (auto& r : ratios_) r = {0.98 * r.weight, 0.98 * r.sum};
  auto& mine = ratios_[at(extra)];
  mine = {0.8 * mine.weight + 1, 0.8 * mine.sum + ratio};
}

double PassCost::of(int extra) const {
  const double line = 1 + slope_ * extra;
  if (extra <= 0 || extra >= kMostGuessRows) return line;
  const auto& mine = ratios_[at(extra)];
  return (mine.sum + line) / (mine.weight + 1);
}

void GuessPolicy::learn(int context, bool right) {
  auto& count = counts_[at(class_of(context))];
  count = {kForget * count.tried + 1, kForget * count.right + (right ? 1 : 0)};
}

double GuessPolicy::chance(int context) const {
  const int c = class_of(context);
  const auto& count = counts_[at(c)];
  return (count.right + kPriorWeight * kPrior[c]) / (count.tried + kPriorWeight);
}

double GuessPolicy::expected_tokens(int matched, int k) const {
  double expected = 1, all_right = 1;
  for (int i = 0; i < k; ++i) expected += all_right *= chance(matched + i);
  return expected;
}

}  // namespace qvl
